"""Tests for L{llmproxy.management.upstreams}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.routing import RoutingTable
from llmproxy.core.upstreamreports import UpstreamReport
from llmproxy.errors import Conflict, NotFound
from llmproxy.management.upstreams import UpstreamRules
from llmproxy.sinks.metrics import ProxyMetrics
from tests.middleware.fakes import an_api, an_upstream
from tests.tables import row


class RulesTests(SynchronousTestCase):
    def setUp(self) -> None:
        apis = [an_api("x", upstreams=(an_upstream(name="a"), an_upstream(name="b"))), an_api("alone")]
        self.metrics = ProxyMetrics()
        self.metrics.attempts = {"x": 9, "alone": 4}
        self.reports = [UpstreamReport("x", "a", requests=5), UpstreamReport("alone", "alone", counted=False)]
        self.metrics.upstreams = lambda: self.reports
        self.changed: list[tuple[str, str, bool]] = []
        self.rules = UpstreamRules(lambda: succeed(self.metrics), self.change, lambda: RoutingTable(apis, "x"))

    def change(self, *change: Any) -> Deferred[None]:
        self.changed.append(change)
        self.reports[0] = evolve(self.reports[0], drained=change[2])
        return succeed(None)

    def run_(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_requests(self) -> None:
        """Attempts where they are counted; else what exchanges have sent, which is the same for an only upstream."""
        self.assertEqual([each.requests for each in self.run_(self.rules.list())], [5, 4])

    def test_change(self) -> None:
        """It is answered with what is so then."""
        for drained in (True, True, False):
            shown = self.run_(self.rules.set_drained("x", "a", drained))
            self.assertEqual((shown.report.upstream, shown.report.drained), ("a", drained), drained)
        self.assertEqual(self.changed, [("x", "a", True), ("x", "a", True), ("x", "a", False)])

    def test_refused(self) -> None:
        """What there is not, and what nothing is chosen from, which would be no change."""
        for api, upstream, error in (
            ("y", "a", NotFound),
            ("x", "c", NotFound),
            ("x", "x", NotFound),
            ("X", "a", NotFound),
            ("alone", "alone", Conflict),
            ("alone", "", NotFound),
        ):
            with row(api, upstream):
                self.failureResultOf(Deferred.fromCoroutine(self.rules.set_drained(api, upstream, True)), error)
        self.assertEqual(self.changed, [])

    def test_swapped_meanwhile(self) -> None:
        """A configuration without it has come while the others were asked."""
        self.metrics.upstreams = list
        self.failureResultOf(Deferred.fromCoroutine(self.rules.set_drained("x", "a", True)), NotFound)
