"""Tests of what dead processes owe, on SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.writtenuses import WrittenUsesContract
from .databases import opened


class WrittenUsesTests(WrittenUsesContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)
