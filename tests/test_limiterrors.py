"""Tests for L{llmproxy.limiterrors}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import limiterrors
from llmproxy.errors import ProxyError

from .tables import row


class LimitErrorTests(SynchronousTestCase):
    def test_told(self) -> None:
        """Each has a status of an error, a code of its own that a program can compare, and words."""
        kinds = [kind for kind in vars(limiterrors).values() if isinstance(kind, type) and issubclass(kind, ProxyError)]
        self.assertEqual({kind.status for kind in kinds if issubclass(kind, limiterrors.NotPermitted)}, {403})
        for kind in kinds:
            with row(kind.__name__):
                self.assertRegex(kind.code, r"\A[a-z][a-z0-9_]+\Z")
                self.assertTrue(kind.message)
