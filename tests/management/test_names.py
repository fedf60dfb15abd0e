"""Tests for L{llmproxy.management.names}."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from llmproxy.interfaces import IProjectNames
from llmproxy.management.names import ONE_BY_ONE, project_names
from llmproxy.testing.stores import MemoryProjects

from ..store.databases import project
from .world import RulesTestCase


class NamesTests(RulesTestCase):
    def test_database(self) -> None:
        """The database is asked once, however many there are; who is not there has no name."""
        verifyObject(IProjectNames, self.database.projects)
        before = self.database.statements
        names = self.done(
            project_names({"p1", "p2", "gone", *(f"x{at}" for at in range(2000))}, self.database.projects)
        )
        self.assertEqual(sorted(names), ["p1", "p2"])
        self.assertLessEqual(self.database.statements - before, 4)
        self.assertEqual(self.done(project_names((), self.database.projects)), {})

    def test_others(self) -> None:
        """A store of an application's own is asked for each, or for all of them."""
        store = MemoryProjects([project("p1", name="one"), project("p2", name="two")])
        for more in (0, ONE_BY_ONE):
            ids = {"p1", *(f"x{at}" for at in range(more))}
            self.assertEqual(self.done(project_names(ids, store)), {"p1": "one"}, more)
