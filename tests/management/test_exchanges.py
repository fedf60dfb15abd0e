"""Tests for L{llmproxy.management.exchanges}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import NotFound
from llmproxy.management.exchanges import ExchangeRules


class ExchangeRulesTests(SynchronousTestCase):
    def test_cut(self) -> None:
        """How many there were; none is not found."""
        rules = ExchangeRules(lambda: succeed({}), lambda request_id: succeed({"a": 2}.get(request_id, 0)))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(rules.cut("a"))), 2)
        self.failureResultOf(Deferred.fromCoroutine(rules.cut("b")), NotFound)
