"""The audit log in pages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.core.audit.record import AuditRecord, audit_record
from llmproxy.core.masking import Masking
from llmproxy.store import audittrail
from llmproxy.store.audit import AuditTable
from llmproxy.store.audittrail import AuditTrail
from llmproxy.store.schema import audit_events
from llmproxy.web.manage.audit import AuditEvents
from tests.tables import row

from ...store.databases import NOW
from ..browser import PagesTestCase


class AuditTests(PagesTestCase):
    def setUp(self) -> None:
        super().setUp()
        first = AuditRecord("open", 0, "audit.open", "system", "success")
        self.table = AuditTable(self.clock, self.database, lambda heads: first)

    def more_routes(self) -> list[Any]:
        return [AuditEvents(AuditTrail(self.database), lambda: succeed(None)).routes()]

    def write(self, count: int, **details: Any) -> None:
        records = [
            audit_record(f"id-{number:03}", NOW + number, "project.create", "carol", "success", details, Masking())
            for number in range(count)
        ]
        self.successResultOf(self.table.write(records))

    def test_list(self) -> None:
        """The latest first, by pages; filters live in the address."""
        self.sign_in()
        self.write(60)
        shown = self.visit("/audit")
        self.assertIn("carol", shown.text)
        self.assertIn("Next page", shown.text)
        self.assertIn("Nothing was noted", self.visit("/audit?actor=nobody").text)
        self.assertIn("carol", self.visit("/audit?actor=carol&outcome=success").text)
        self.assertEqual(self.visit("/audit?start_time=soon").status, 400)

    def test_bounded_search(self) -> None:
        """A text is looked for in a bounded number of events; the page says how far back, and goes on from there."""
        self.patch(audittrail, "MOST_SEARCHED", 40)
        self.sign_in()
        self.write(1, reason="a needle")
        records = [
            audit_record(f"more-{number:03}", NOW + 10 + number, "token.list", "ann", "success", {}, Masking())
            for number in range(100)
        ]
        self.successResultOf(self.table.write(records))
        shown, pages = self.visit("/audit?search=NEEDLE"), 1
        while "further back" in shown.text:
            self.assertNotIn("carol", shown.text)
            self.assertNotIn("Nothing was noted", shown.text)
            self.assertIn("Everything back to", shown.text)
            [on] = [href for href, words in shown.page.links if words == "Search further back"]
            shown, pages = self.visit(on), pages + 1
        self.assertEqual((pages, shown.text.count("carol")), (3, 1))
        self.assertIn("First page", shown.text)
        for narrow in ("search=needle&project_id=p", "actor=carol"):
            self.assertNotIn("further back", self.visit(f"/audit?{narrow}").text, narrow)

    def test_detail(self) -> None:
        """Everything that was noted; markup is text."""
        self.sign_in()
        self.write(1, error="<b>no</b>", changed={"name": "x"})
        shown = self.visit("/audit/id-000")
        for words in ("project.create", "carol", "<b>no</b>", "changed"):
            self.assertIn(words, shown.text, words)
        self.assertNotIn(b"<b>no</b>", shown.body)
        self.assertEqual(self.visit("/audit/nothing").status, 404)

    def test_followed(self) -> None:
        """An event leads to all of its request, its project and its token; the page says that it shows only those."""
        self.sign_in()
        self.write(2, request_id="r-1", project_id="p-1", token_id="t-1", correlation_id="c-1")
        records = [audit_record("other", NOW + 9, "token.list", "ann", "success", {"request_id": "r-2"}, Masking())]
        self.successResultOf(self.table.write(records))
        links = [href for href, _ in self.visit("/audit/id-000").page.links]
        for path in ("/projects/p-1", "/tokens/t-1"):
            self.assertIn(f"/admin{path}", links, path)
        for query, value in (
            ("request_id", "r-1"),
            ("correlation_id", "c-1"),
            ("project_id", "p-1"),
            ("token_id", "t-1"),
        ):
            with row(self, query):
                self.assertIn(f"/admin/audit?{query}={value}", links)
                shown = self.visit(f"/audit?{query}={value}")
                self.assertEqual((shown.text.count("carol"), shown.text.count("ann\n")), (2, 0))
                self.assertIn(value, shown.text)
                self.assertEqual(shown.page.form("/admin/audit")["fields"][query], value)
        self.assertNotIn("Only", self.visit("/audit?actor=carol").text)

    def test_verified(self) -> None:
        """Whether anybody tampered with it."""
        self.sign_in()
        self.write(3)
        self.assertIn("are as they were written", self.send(self.visit("/audit"), "/audit/verify").text)
        change = audit_events.update().where(audit_events.c.id == "id-001").values(actor="mallory")
        self.successResultOf(self.database.run(lambda connection: connection.execute(change)))
        shown = self.send(self.visit("/audit"), "/audit/verify")
        self.assertIn("id-001", shown.text)
        self.assertIn("somebody has changed the log", shown.text)

    def test_operator(self) -> None:
        """Those who are watched do not look."""
        self.sign_in(self.admin("operator"))
        self.assertEqual(self.visit("/audit").status, 403)
