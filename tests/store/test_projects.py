"""Projects in SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.project_store import ProjectStoreContract
from .databases import opened, project


class MemoryProjectStoreTests(ProjectStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)


class FileProjectStoreTests(ProjectStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, self.mktemp(), clock=self.clock)


class UnencryptedTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """Without a key the database works, and keeps upstream keys as they are."""
        database = opened(self, key=None)
        self.successResultOf(database.projects.create(project()))
        self.assertEqual(self.successResultOf(database.projects.get("p1")), project())
