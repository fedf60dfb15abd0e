"""The retention of ended tokens on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.endedtokens import EndedTokensContract
from .databases import opened


class SqliteEndedTokensTests(EndedTokensContract, SynchronousTestCase):
    """SQLite."""

    def open(self) -> Database:
        return opened(self, clock=self.clock)
