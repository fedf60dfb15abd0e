"""Records of usage on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.usagerecords import UsageRecordsContract
from .databases import opened


class SqliteUsageRecordsTests(UsageRecordsContract, SynchronousTestCase):
    """SQLite."""

    def open(self) -> Database:
        return opened(self, clock=self.clock)
