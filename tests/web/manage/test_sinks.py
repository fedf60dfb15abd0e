"""Tests for L{llmproxy.web.manage.sinks}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.core.events.reports import SinkReport
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.sinks import SinkRoutes

from .api import ManageTestCase

HOOK = SinkReport(
    "hook", "http", failing=1, waiting=3, spooled=40, spooled_bytes=9000, failures=2, error="answered 503 busy"
)
LOG = SinkReport("log", "file", delivered=7, batches=2, answer="", delivered_at=1_796_000_000.5)


class SinksManageTestCase(ManageTestCase):
    def setUp(self) -> None:
        self.counted = ProxyMetrics()
        self.counted.sinks = lambda: [HOOK, LOG, LOG]
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        async def test(name: str) -> tuple[bool, str] | None:
            return (True, "200 ok") if name == "hook" else None

        routes = SinkRoutes(lambda: succeed(self.counted), test).routes()
        return super().resource(projects, **{**more, "more": (routes, *more.get("more", ()))})


class SinksTests(SinksManageTestCase):
    def test_test(self) -> None:
        """What came back; a sink that there is not is not found, and an auditor sends nothing."""
        self.assertEqual(self.ask("POST", "/sinks/hook/test").json, {"taken": True, "answer": "200 ok"})
        self.assertEqual(self.ask("POST", "/sinks/x/test").status, 404)
        token = self.ask("POST", "/admins", {"name": "a", "role": "auditor"}).json["token"]
        answer = self.ask("POST", "/sinks/hook/test", headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(answer.status, 403)

    def test_list(self) -> None:
        """How each is, of all workers together."""
        hook, log = self.ask("GET", "/sinks").json
        found = (hook["state"], hook["waiting"], hook["spooled"], hook["delivered_at"])
        self.assertEqual(found, ("failing", 3, 40, None))
        self.assertEqual(hook["error"], "answered 503 busy")
        self.assertEqual((log["state"], log["delivered"], log["workers"]), ("ok", 14, 2))
        self.assertEqual(log["delivered_at"], "2026-11-30T00:53:20.500000Z")

    def test_none(self) -> None:
        """Without a sink it is an empty list."""
        self.counted.sinks = list
        self.assertEqual(self.ask("GET", "/sinks").json, [])
