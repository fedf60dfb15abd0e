"""Repricing on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.repricing import RepricingContract
from .databases import opened


class SqliteRepricingTests(RepricingContract, SynchronousTestCase):
    """SQLite."""

    def open(self) -> Database:
        return opened(self, clock=self.clock)
