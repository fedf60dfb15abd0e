"""The audit trail on SQLite, and what does not depend on the database."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store.database import Database

from ..contracts.audit import AuditContract, record
from .databases import opened


class SqliteAuditTests(AuditContract, SynchronousTestCase):
    """SQLite."""

    def open(self) -> Database:
        return opened(self, clock=self.clock)

    def test_database_away(self) -> None:
        """A failed write keeps nothing; the next one begins where it would have."""
        table = self.table()
        self.successResultOf(table.write([record(1)]))
        self.execute("ALTER TABLE audit_events RENAME TO away")
        self.failureResultOf(table.write([record(2)]), Unavailable)
        self.execute("ALTER TABLE away RENAME TO audit_events")
        self.successResultOf(table.write([record(2), record(3)]))
        self.assertEqual((self.report().problems, self.ids()), ([], ["id-0003", "id-0002", "id-0001"]))
