"""Tests for L{llmproxy.web.manage.sinks}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.core.events.letters import LettersKept, Redelivered
from llmproxy.core.events.reports import SinkReport
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.sinks import SinkRoutes

from .api import ManageTestCase

HOOK = SinkReport(
    "hook", "http", failing=1, waiting=3, spooled=40, spooled_bytes=9000, failures=2, error="answered 503 busy"
)
LOG = SinkReport("log", "file", delivered=7, batches=2, answer="", delivered_at=1_796_000_000.5)


class ByHand:
    """
    The sink C{hook}, with dead letters.

    @ivar turns: what comes of sending those again, call by call.
    @ivar asked: what was asked then.
    """

    def __init__(self) -> None:
        self.turns = [Redelivered(1000, 2, 8, "", "200 ok"), Redelivered(7, 1, 0, "", "422 still")]
        self.asked: list[tuple[int, str]] = []

    async def test(self, name: str) -> tuple[bool, str] | None:
        return (True, "200 ok") if name == "hook" else None

    async def letters(self, name: str) -> LettersKept | None:
        oldest, latest = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"
        kept = LettersKept(3, 900, 1, oldest, latest, (("answered 422", 2), ("sk-live-abcdefghijklmnopqrstuvwx", 1)))
        return kept if name == "hook" else None

    async def send_again(self, name: str, limit: int, before: str) -> Redelivered | None:
        self.asked.append((limit, before))
        return (self.turns.pop(0) if self.turns else Redelivered()) if name == "hook" else None


class SinksManageTestCase(ManageTestCase):
    def setUp(self) -> None:
        self.counted = ProxyMetrics()
        self.counted.sinks = lambda: [HOOK, LOG, LOG]
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        self.by_hand = ByHand()
        routes = SinkRoutes(lambda: succeed(self.counted), self.by_hand).routes()
        return super().resource(projects, **{**more, "more": (routes, *more.get("more", ()))})


class SinksTests(SinksManageTestCase):
    def test_test(self) -> None:
        """What came back; a sink that there is not is not found, and an auditor sends nothing."""
        self.assertEqual(self.ask("POST", "/sinks/hook/test").json, {"taken": True, "answer": "200 ok"})
        self.assertEqual(self.ask("POST", "/sinks/x/test").status, 404)
        token = self.ask("POST", "/admins", {"name": "a", "role": "auditor"}).json["token"]
        answer = self.ask("POST", "/sinks/hook/test", headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(answer.status, 403)

    def test_letters(self) -> None:
        """How many are on disk, and why; nothing that looks like a secret is shown."""
        found = self.ask("GET", "/sinks/hook/dead-letters").json
        self.assertEqual((found["count"], found["bytes"], found["unreadable"]), (3, 900, 1))
        self.assertEqual(found["reasons"][0], {"reason": "answered 422", "count": 2})
        self.assertNotIn("abcdefghijkl", str(found["reasons"]))
        self.assertEqual(self.ask("GET", "/sinks/x/dead-letters").status, 404)

    def test_redeliver(self) -> None:
        """What came of it; without a body it is all of now, and a time is understood however it is written."""
        found = self.ask("POST", "/sinks/hook/redeliver").json
        self.assertEqual(found, {"delivered": 1000, "refused": 2, "left": 8, "error": "", "answer": "200 ok"})
        self.ask("POST", "/sinks/hook/redeliver", {"limit": 5, "before": "2026-11-30T02:00:00.5+02:00"})
        self.assertEqual(self.by_hand.asked, [(1000, ""), (5, "2026-11-30T00:00:00.500000+00:00")])
        for body, status in (({"limit": 0}, 400), ({"limit": 1001}, 400), ({"before": "yesterday"}, 400)):
            self.assertEqual(self.ask("POST", "/sinks/hook/redeliver", body).status, status, body)
        self.assertEqual(self.ask("POST", "/sinks/x/redeliver").status, 404)
        token = self.ask("POST", "/admins", {"name": "a", "role": "auditor"}).json["token"]
        answer = self.ask("POST", "/sinks/hook/redeliver", headers={"Authorization": f"Bearer {token}"})
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
