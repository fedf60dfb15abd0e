"""Rows that nobody of ours wrote."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.search import AuditFilter
from llmproxy.store.audittrail import AuditTrail

from ..tables import row
from .databases import opened


class ForeignRowTests(SynchronousTestCase):
    def test_shown(self) -> None:
        """A row that somebody put into the table by hand is shown, and breaks no page."""
        database = opened(self)
        values = "('x', 1000000, 'a', 'b', 'success', '{not json')"
        statement = f"INSERT INTO audit_events (id, timestamp, action, actor, outcome, metadata) VALUES {values}"
        self.successResultOf(database.run(lambda connection: connection.exec_driver_sql(statement)))
        (link,) = self.successResultOf(AuditTrail(database).rows(0, 10, AuditFilter()))
        self.assertEqual(dict(link.record.details), {"unreadable": "{not json"})
        self.assertEqual((link.record.timestamp, link.chain, link.seq), (1_000_000, "", 0))

    def test_bad_position(self) -> None:
        """A cursor that no page gave out is refused, at once."""
        trail = AuditTrail(opened(self))
        for limit, after in ((10, "x"), (10, "WyJhIl0"), (0, None)):
            with row(limit):
                self.assertRaises(ValueError, trail.page, limit, after, AuditFilter())
