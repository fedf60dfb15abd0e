"""Rows that nobody of ours wrote."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.search import AuditFilter
from llmproxy.store.auditlinks import links_of
from llmproxy.store.audittrail import AuditTrail

from .databases import opened


class ForeignRowTests(SynchronousTestCase):
    def test_shown(self) -> None:
        """A row that somebody put into the table by hand is shown, breaks no page, and is in no chain."""
        database = opened(self)
        values = "('x', 1000000, 'a', 'b', 'success', '{not json')"
        statement = f"INSERT INTO audit_events (id, timestamp, action, actor, outcome, metadata) VALUES {values}"
        self.successResultOf(database.run(lambda connection: connection.exec_driver_sql(statement)))
        (link,) = self.successResultOf(AuditTrail(database).rows(0, 10, AuditFilter()))
        self.assertEqual(dict(link.record.details), {"unreadable": "{not json"})
        self.assertEqual((link.record.timestamp, link.chain, link.seq), (1_000_000, "", 0))
        self.assertEqual(self.successResultOf(database.read(lambda connection: list(links_of(connection)))), [])
