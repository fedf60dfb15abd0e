"""The retention of audit records on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.auditcuts import AuditCutsContract
from .databases import opened


class SqliteAuditCutsTests(AuditCutsContract, SynchronousTestCase):
    """SQLite."""

    def open(self) -> Database:
        return opened(self, clock=self.clock)
