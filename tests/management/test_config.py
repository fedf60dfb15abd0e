"""Tests for L{llmproxy.management.config}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.reloading import Outcome
from llmproxy.errors import ConfigError, Conflict, Unprocessable
from llmproxy.management.config import ConfigRules, ShownConfig

SHOWN = ShownConfig("apis.yaml", {"default_api": "a"}, {"listen": ["tcp:1"]}, {"listen": "--listen"})


class ConfigRulesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shown = SHOWN
        self.result: Deferred[Any] = succeed(Outcome(("apis.a",), ("listen",)))
        self.rules = ConfigRules(lambda: self.shown, lambda: self.result)

    def reload(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.rules.reload())

    def test_reload(self) -> None:
        self.assertEqual(self.successResultOf(self.reload()).changed, ("apis.a",))

    def test_wrong(self) -> None:
        """All that is wrong is in the answer."""
        self.result = fail(ConfigError("line 1: a", "line 2: b"))
        error = self.failureResultOf(self.reload(), Unprocessable).value
        self.assertEqual(error.description, "line 1: a; line 2: b")

    def test_no_file(self) -> None:
        self.shown = evolve(SHOWN, file=None)
        self.failureResultOf(self.reload(), Conflict)
