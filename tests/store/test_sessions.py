"""Sessions in SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.admin_store import SessionStoreContract
from .databases import opened


class MemorySessionStoreTests(SessionStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)
