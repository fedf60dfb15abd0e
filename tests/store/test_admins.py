"""Admins in SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.admin_store import AdminStoreContract
from .databases import opened


class MemoryAdminStoreTests(AdminStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)
