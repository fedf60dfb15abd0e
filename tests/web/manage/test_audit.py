"""C{/manage/audit}, over what management itself notes."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from twisted.internet.defer import succeed

from llmproxy.core.audit.record import AuditRecord, audit_record
from llmproxy.core.masking import Masking
from llmproxy.store.audit import AuditTable
from llmproxy.store.audittrail import AuditTrail
from llmproxy.web.manage.audit import AuditEvents

from ...store.databases import NOW
from .api import ManageTestCase


class AuditApiTestCase(ManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.flushes = 0
        first = AuditRecord("open", 0, "audit.open", "system", "success")
        self.table = AuditTable(self.clock, self.database, lambda heads: first)
        events = AuditEvents(AuditTrail(self.database), self.flush)
        self.treq = self.client(self.resource(more=[events.routes()]))

    def flush(self) -> Any:
        self.flushes += 1
        return succeed(None)

    def write(self, count: int, **details: Any) -> None:
        records = []
        for number in range(count):
            action = ("project.create", "token.create")[number % 2]
            noted = {"project_id": f"p{number % 3}", "n": number} | details
            records.append(audit_record(f"id-{number:03}", NOW + number, action, "carol", "success", noted, Masking()))
        self.successResultOf(self.table.write(records))

    def ids(self, query: str) -> list[str]:
        answer = self.ask("GET", f"/audit?{query}")
        self.assertEqual(answer.status, 200, answer.body)
        return [event["id"] for event in answer.json["events"]]


class ListTests(AuditApiTestCase):
    def test_pages_of_the_reference(self) -> None:
        """Numbered pages with their counts, twenty a page, the latest first."""
        self.write(45)
        answer = self.ask("GET", "/audit?page=2").json
        self.assertEqual([event["id"] for event in answer["events"]][:2], ["id-024", "id-023"])
        self.assertEqual(
            answer["pagination"],
            {"page": 2, "page_size": 20, "total_count": 46, "total_pages": 3, "has_next": True, "has_prev": True},
        )
        last = self.ask("GET", "/audit?page=3").json
        self.assertEqual((len(last["events"]), last["pagination"]["has_next"]), (6, False))
        self.assertEqual(self.ask("GET", "/audit?page=9").json["events"], [])

    def test_bounds(self) -> None:
        """No page size brings the whole table, or the proxy down."""
        self.write(105)
        self.assertEqual(len(self.ids("page_size=100000")), 100)
        for query in (
            "page_size=0",
            "page_size=-1",
            "page=0",
            "page=-1",
            "page=99999999999999999999",
            "limit=0",
            "limit=1001",
            "cursor=nonsense",
            "limit=1&cursor=WyJhIl0",
            "start_time=yesterday",
            "start_time=2026-01-01T00:00:00",
            "outcome=maybe",
            "nope=1",
            "action=a&action=b",
            "search=" + "x" * 513,
        ):
            self.assertEqual(self.ask("GET", f"/audit?{query}").status, 400, query)

    def test_nothing(self) -> None:
        """No events are an empty list."""
        answer = self.ask("GET", "/audit?action=none").json
        self.assertEqual((answer["events"], answer["pagination"]["total_pages"]), ([], 0))

    def test_cursor(self) -> None:
        """All of them by the links that the answers have, and the same by the cursors in them."""
        self.write(7)
        answer, seen = self.ask("GET", "/audit?limit=3&actor=carol"), []
        while True:
            seen += [event["id"] for event in answer.json["events"]]
            link = answer.header("link")
            if link is None:
                break
            target = link[link.index("<") + 1 : link.index(">")]
            self.assertIn(f"cursor={answer.json['pagination']['next_cursor']}", target)
            answer = self.ask("GET", target.removeprefix("/manage"))
        self.assertEqual(seen, [f"id-{number:03}" for number in range(6, -1, -1)])
        self.assertEqual(answer.json["pagination"], {"has_next": False, "limit": 3})

    def test_filters(self) -> None:
        """By every field, together."""
        self.write(6)
        self.assertEqual(self.ids("action=token.create&project_id=p0"), ["id-003"])
        self.assertEqual(self.ids("search=%25"), [])
        self.assertEqual(self.ids("search=CAROL&project_id=p1"), ["id-004", "id-001"])

    def test_times(self) -> None:
        """A time means the same in every zone, also with a plus sign that nobody escaped."""
        self.write(4)
        for zone in ("2023-11-14T22:13:22Z", "2023-11-15T00:13:22%2B02:00", "2023-11-15T00:13:22+02:00"):
            self.assertEqual(self.ids(f"actor=carol&start_time={zone}"), ["id-003", "id-002"], zone)
        self.assertEqual(self.ids("actor=carol&end_time=2023-11-14T22:13:20.25Z"), ["id-000"])

    def test_fresh(self) -> None:
        """What was noted before the question is in the answer."""
        self.ids("")
        self.assertEqual(self.flushes, 1)

    def test_noted(self) -> None:
        """Looking is noted, with how much was seen."""
        self.write(3)
        self.ids("limit=2")
        *event, details = self.notes.events[-1]
        self.assertEqual(event, ["audit.list", "management_api", "success"])
        self.assertEqual(details["events_count"], 2)


class ShowTests(AuditApiTestCase):
    def test_event(self) -> None:
        """An event has the members of the reference, its metadata as JSON in a text, and its place in the chain."""
        self.write(1, request_id="r-1", client_ip="10.0.0.1", http_method="POST", endpoint="/manage/projects")
        event = self.ask("GET", "/audit/id-000").json
        when = datetime.fromisoformat(event.pop("timestamp").replace("Z", "+00:00"))
        self.assertEqual(when, datetime.fromtimestamp(NOW, timezone.utc))
        self.assertEqual(json.loads(event.pop("metadata")), {"n": 0})
        self.assertEqual((len(event.pop("hash")), len(event.pop("chain"))), (64, 32))
        self.assertEqual(
            event,
            {
                "id": "id-000",
                "action": "project.create",
                "actor": "carol",
                "outcome": "success",
                "project_id": "p0",
                "request_id": "r-1",
                "client_ip": "10.0.0.1",
                "method": "POST",
                "path": "/manage/projects",
                "seq": 2,
            },
        )

    def test_not_there(self) -> None:
        self.refused(self.ask("GET", "/audit/nope"), 404, "audit event not found")
        self.assertEqual(self.ask("POST", "/audit").status, 405)


class WithoutTrailTests(ManageTestCase):
    def test_unavailable(self) -> None:
        """Where records are not kept in the database, that is said in the words of the reference."""
        events = AuditEvents(None, lambda: succeed(None))
        self.treq = self.client(self.resource(more=[events.routes()]))
        self.refused(self.ask("GET", "/audit"), 503, "audit events not available")
        self.refused(self.ask("GET", "/audit/x"), 503, "audit event not available")
