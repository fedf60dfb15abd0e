"""Where a page of audit records begins."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.search import AuditFilter
from llmproxy.store.audittrail import AuditTrail

from ..tables import row
from .databases import opened


class PositionTests(SynchronousTestCase):
    def test_bad_position(self) -> None:
        """A cursor that no page gave out is refused, at once."""
        trail = AuditTrail(opened(self))
        for limit, after in ((10, "x"), (10, "WyJhIl0"), (0, None)):
            with row(limit):
                self.assertRaises(ValueError, trail.page, limit, after, AuditFilter())
