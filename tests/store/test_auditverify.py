"""Tests for L{llmproxy.store.auditverify}; more of what it finds is in tests/cli/test_audit_verify.py."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.record import AuditRecord, audit_record
from llmproxy.core.masking import Masking
from llmproxy.store.audit import AuditTable
from llmproxy.store.audittrail import AuditTrail
from llmproxy.store.auditverify import verify_table
from llmproxy.store.schema import audit_events

from .databases import NOW, opened


class VerifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database: Any = opened(self)
        first = AuditRecord("open", 0, "audit.open", "system", "success")
        table = AuditTable(Clock(), self.database, lambda heads: first)
        records = [
            audit_record(f"id-{number}", NOW + number, "project.create", "carol", "success", {}, Masking())
            for number in range(5)
        ]
        self.successResultOf(table.write(records))

    def problems(self) -> list[str]:
        report = self.successResultOf(AuditTrail(self.database).verify())
        return [each.where for each in report.problems]

    def test_whole(self) -> None:
        """Every record is seen, and nothing is wrong."""
        seen: list[str] = []
        verified = self.database.read(
            lambda connection: verify_table(connection, (), lambda link: seen.append(link.record.id))
        )
        report, _ = self.successResultOf(verified)
        self.assertEqual((report.records, report.problem_count, len(seen)), (6, 0, 6))

    def test_changed(self) -> None:
        """A record that was changed, and one that is gone."""
        change = audit_events.update().where(audit_events.c.id == "id-2").values(actor="mallory")
        self.successResultOf(self.database.run(lambda connection: connection.execute(change)))
        self.assertIn("audit_events id-2", self.problems())
        gone = audit_events.delete().where(audit_events.c.id == "id-3")
        self.successResultOf(self.database.run(lambda connection: connection.execute(gone)))
        self.assertGreater(len(self.problems()), 1)
