"""Limits in rows; tokens and projects that have them are in the contracts of their stores."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.limitfields import change_limits
from llmproxy.store.schema import tokens
from llmproxy.usagelimits import UNLIMITED, UNSET, UsageLimits

from .databases import clock_at, opened, project, token


class ChangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self, clock=clock_at())
        self.successResultOf(self.database.projects.create(project()))
        self.successResultOf(self.database.tokens.create(token(limits=UsageLimits(rpm_limit=1))))

    def limits(self, change: Any) -> Any:
        self.successResultOf(self.database.run(lambda connection: change_limits(connection, tokens, "t1", change)))
        found = self.successResultOf(self.database.tokens.get("t1"))
        assert found is not None
        return found.limits

    def test_single_ones(self) -> None:
        """Each change keeps what it does not name."""
        self.assertEqual(self.limits(None), UsageLimits(rpm_limit=1))
        self.assertEqual(self.limits({}), UsageLimits(rpm_limit=1))
        self.assertEqual(self.limits({"tpm_limit": None}), UsageLimits(rpm_limit=1, tpm_limit=None))
        self.assertEqual(self.limits({"rpm_limit": UNSET}), UsageLimits(tpm_limit=None))
        self.assertIs(self.limits({"tpm_limit": UNSET}), UNLIMITED)
