"""Tests for L{llmproxy.web.manage.exchanges}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from llmproxy.core.running import running_of
from llmproxy.management.exchanges import ExchangeRules
from llmproxy.record import Attribution
from llmproxy.web.manage.exchanges import ExchangeRoutes

from ...core.test_running import a_record
from .api import ManageTestCase


class Running:
    """@ivar records: what runs."""

    def __init__(self) -> None:
        self.records = [a_record("r-1", model="gpt-5", api="openai", bytes_out=5), a_record("r-2")]

    def running(self, **wanted: str) -> Deferred[Any]:
        return succeed(running_of([(each, 0.0) for each in self.records], 3.0, **wanted))

    def cut(self, request_id: str) -> Deferred[int]:
        left = [each for each in self.records if each.request_id != request_id]
        count, self.records = len(self.records) - len(left), left
        return succeed(count)

    def routes(self) -> Any:
        return ExchangeRoutes(ExchangeRules(self.running, self.cut)).routes()


class ExchangesManageTestCase(ManageTestCase):
    def setUp(self) -> None:
        self.running = Running()
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        return super().resource(projects, **{**more, "more": (self.running.routes(), *more.get("more", ()))})


class ExchangesTests(ExchangesManageTestCase):
    def test_list(self) -> None:
        """What runs, with how long and how much."""
        found = self.ask("GET", "/exchanges").json
        self.assertEqual((found["total"], found["exchanges"][0]["model"]), (2, "gpt-5"))

    def test_of_somebody(self) -> None:
        """Those of one person, or of one session, and how many these are."""
        self.running.records[0].person_id = "person-1"
        self.running.records[1].attribution = Attribution(session="s 1")
        for query, ids in (("person=person-1", ["r-1"]), ("session=s+1", ["r-2"]), ("person=person-1&session=s+1", [])):
            found = self.ask("GET", f"/exchanges?{query}").json
            self.assertEqual((found["total"], [each["id"] for each in found["exchanges"]]), (len(ids), ids), query)
        first, second = self.ask("GET", "/exchanges").json["exchanges"]
        self.assertEqual((first["person_id"], first["session"], second["session"]), ("person-1", "", "s 1"))
        self.assertEqual(self.ask("GET", "/exchanges?who=x").status, 400)

    def test_cut(self) -> None:
        """It is cut once, and noted."""
        answer = self.ask("DELETE", "/exchanges/r-1")
        self.assertEqual((answer.status, answer.json), (200, {"cut": 1}))
        self.assertEqual(self.notes.events[-1][:3:2], ("exchange.cut", "success"))
        self.assertEqual(self.ask("DELETE", "/exchanges/r-1").status, 404)

    def test_auditor(self) -> None:
        """Who may only look does not cut."""
        token = self.ask("POST", "/admins", {"name": "a", "role": "auditor"}).json["token"]
        fields = {"Authorization": f"Bearer {token}"}
        self.assertEqual(self.ask("GET", "/exchanges", headers=fields).status, 200)
        self.assertEqual(self.ask("DELETE", "/exchanges/r-1", headers=fields).status, 403)
