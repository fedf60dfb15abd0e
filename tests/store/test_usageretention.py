"""The retention of single records of usage on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.usageretention import UsageRetentionContract
from .databases import opened


class SqliteUsageRetentionTests(UsageRetentionContract, SynchronousTestCase):
    """SQLite."""

    def open(self) -> Database:
        return opened(self, clock=self.clock)
