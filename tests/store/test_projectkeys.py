"""
Tests for L{llmproxy.store.projectkeys}.

What it does in a database is in L{tests.contracts.project_store}, for each kind of database.
"""

from __future__ import annotations

from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.registry import Binding
from llmproxy.store.projectkeys import place, place_of

from .databases import opened


class Row:
    project_id = "p1"
    api = "openai"


class PlaceTests(SynchronousTestCase):
    def test_places(self) -> None:
        """No two places of a key are called the same."""
        self.assertEqual(place("p1"), "projects/p1/api_key")
        self.assertEqual(place_of(Row), "projects/p1/api_keys/openai")


class StartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        database = opened(self, self.path, key=None, binding=None)
        statement = text(
            "INSERT INTO projects (id, name, api_key, created_at, updated_at) VALUES ('p', 'p', 'sk-ant-x', 1, 1)"
        )
        self.successResultOf(database.run(lambda connection: connection.execute(statement)))
        self.successResultOf(database.close())

    def keys(self, binding: Binding | None) -> object:
        database = opened(self, self.path, key=None, binding=binding)
        found = self.successResultOf(database.projects.get("p"))
        changes = database.read(lambda connection: connection.execute(text("SELECT what, which FROM changes")).all())
        self.noted = [tuple(row) for row in self.successResultOf(changes)]
        self.successResultOf(database.close())
        assert found is not None
        return found.api_keys

    def test_first_start_with_a_configuration(self) -> None:
        """A start without one binds nothing, the first with one does, for good, and tells the other processes."""
        self.assertEqual((self.keys(None), self.noted), ({}, []))
        claude = Binding("openai", (("openai", "openai"), ("claude", "anthropic")))
        self.assertEqual((self.keys(claude), self.noted), ({"claude": ("sk-ant-x",)}, [("project", "p")]))
        other = Binding("groq", (("groq", "groq"), ("anthropic", "anthropic")))
        self.assertEqual((self.keys(other), self.noted), ({"claude": ("sk-ant-x",)}, [("project", "p")]))

    def test_many(self) -> None:
        """However many there are, it takes a few statements for hundreds; who has keys for an API keeps those."""
        database = opened(self, self.path, key=None, binding=None)
        row = "INSERT INTO projects (id, name, api_key, created_at, updated_at) VALUES (:id, :id, :key, 1, 1)"
        kinds = ("sk-proj-x", "sk-ant-x", "")
        rows = [{"id": f"m{number:04}", "key": kinds[number % 3]} for number in range(1200)]
        held = "INSERT INTO project_keys (project_id, api, position, api_key) VALUES ('m0001', 'claude', 0, 'mine')"
        self.successResultOf(database.run(lambda connection: connection.execute(text(row), rows)))
        self.successResultOf(database.run(lambda connection: connection.execute(text(held))))
        self.successResultOf(database.close())
        claude = Binding("openai", (("openai", "openai"), ("claude", "anthropic")))
        self.keys(None)
        database = opened(self, self.path, key=None, binding=claude)
        self.assertLess(database.statements, 80)
        for project_id, keys in (
            ("m0000", {"openai": ("sk-proj-x",)}),
            ("m0001", {"claude": ("mine",)}),
            ("m1198", {"claude": ("sk-ant-x",)}),
            ("m1199", {}),
        ):
            found = self.successResultOf(database.projects.get(project_id))
            assert found is not None
            self.assertEqual(found.api_keys, keys, project_id)
        noted = database.read(
            lambda connection: connection.execute(text("SELECT id, which FROM changes ORDER BY id")).all()
        )
        numbers, names = zip(*self.successResultOf(noted), strict=True)
        self.assertEqual(numbers, tuple(range(1, 1202)))
        self.assertEqual(sorted(names), [f"m{number:04}" for number in range(1200)] + ["p"])
        self.successResultOf(database.close())
        self.keys(claude)
        self.assertEqual(len(self.noted), 1201)
