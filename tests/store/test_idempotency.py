"""Idempotency keys in SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.admin_store import IdempotencyStoreContract
from .databases import opened


class MemoryIdempotencyStoreTests(IdempotencyStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)
