"""The statements that change counters, on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.usage import UsageContract
from .databases import opened


class UsageTests(UsageContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)
