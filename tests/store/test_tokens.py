"""Tokens in SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.token_store import TokenStoreContract
from .databases import opened


class MemoryTokenStoreTests(TokenStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)


class FileTokenStoreTests(TokenStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, self.mktemp(), clock=self.clock)
