"""Tests for L{llmproxy.web.manage.upstreams}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from llmproxy.core.routing import RoutingTable
from llmproxy.core.upstreamreports import UpstreamReport
from llmproxy.management.upstreams import UpstreamRules
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.upstreams import UpstreamRoutes
from tests.middleware.fakes import an_api, an_upstream

from .api import ManageTestCase

WELL = UpstreamReport("openai", "main", "https://a.example", in_flight=3, requests=10, latency=0.1234567)
EJECTED = UpstreamReport("openai", "azure", ejected=1, ejected_for=12.34, failed=5, ejections=1)
ALONE = UpstreamReport("alone", "alone", "https://b.example", counted=False)


class UpstreamsManageTestCase(ManageTestCase):
    """@ivar states: what all workers say."""

    def setUp(self) -> None:
        self.states = [WELL, EJECTED, ALONE]
        self.metrics = ProxyMetrics()
        self.metrics.upstreams = lambda: self.states
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        two = (an_upstream(name="main"), an_upstream(name="azure"))
        table = RoutingTable([an_api(upstreams=two), an_api("alone")], "openai")
        rules = UpstreamRules(lambda: succeed(self.metrics), self.change, lambda: table)
        return super().resource(projects, **{**more, "more": (UpstreamRoutes(rules).routes(), *more.get("more", ()))})

    def change(self, api: str, upstream: str, drained: bool) -> Deferred[None]:
        self.states = [
            evolve(each, drained=drained) if (each.api, each.upstream) == (api, upstream) else each
            for each in self.states
        ]
        return succeed(None)


class UpstreamsTests(UpstreamsManageTestCase):
    def test_list(self) -> None:
        """How each is; what is not counted is null."""
        main, azure, alone = self.ask("GET", "/upstreams").json
        self.assertEqual((main["health"], main["in_flight"], main["latency"]), ("well", 3, 0.123457))
        self.assertEqual((azure["health"], azure["ejected_for"], azure["latency"]), ("ejected", 12.3, None))
        self.assertEqual((alone["counted"], alone["in_flight"], alone["failed"]), (False, None, None))

    def test_drain(self) -> None:
        """Draining and undraining show the upstream, and are noted with its name."""
        for word, drained in (("drain", True), ("undrain", False)):
            answer = self.ask("POST", f"/upstreams/openai/azure/{word}")
            self.assertEqual((answer.status, answer.json["drained"]), (200, drained), word)
            action, _, outcome, details = self.notes.events[-1]
            self.assertEqual((action, outcome), (f"upstream.{word}", "success"), word)
            self.assertEqual((details["api"], details["upstream"]), ("openai", "azure"), word)

    def test_refused(self) -> None:
        """What there is not is 404, the only one 409; an auditor changes nothing."""
        for path, status in (("openai/x", 404), ("y/main", 404), ("alone/alone", 409)):
            self.assertEqual(self.ask("POST", f"/upstreams/{path}/drain").status, status, path)
        auditor = self.ask("POST", "/admins", {"name": "a", "role": "auditor"}).json["token"]
        shown = {"Authorization": f"Bearer {auditor}"}
        self.assertEqual(self.ask("POST", "/upstreams/openai/azure/drain", headers=shown).status, 403)
        self.assertEqual(self.ask("GET", "/upstreams", headers=shown).status, 200)
        self.assertFalse(any(each.drained for each in self.states))
