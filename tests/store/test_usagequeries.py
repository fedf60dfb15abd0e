"""Reports of usage on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.usagereports import UsageReportsContract
from ..properties import examples
from .databases import opened


class SqliteUsageReportsTests(UsageReportsContract, SynchronousTestCase):
    """SQLite."""

    COUNT = examples(300)

    def open(self) -> Database:
        return opened(self, clock=self.clock)
