"""People in SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.people_store import PeopleStoreContract
from .databases import opened


class MemoryPeopleStoreTests(PeopleStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)


class FilePeopleStoreTests(PeopleStoreContract, SynchronousTestCase):
    """A file, which other processes share and hear of."""

    def open(self) -> Database:
        return opened(self, f"sqlite:///{self.mktemp()}", clock=self.clock)
