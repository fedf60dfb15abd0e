"""Everything that a database holds, moved; between kinds of databases in L{tests.integration.test_moving}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.agentsettingstables import agent_settings
from llmproxy.store.backend import locate
from llmproxy.store.migrate import migrate, revision_of
from llmproxy.store.migration import DatabaseSource, NotEmpty, is_empty, load
from llmproxy.store.schema import HEAD, metadata

from .databases import opened, project, token


class TransferTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.source = self.engine("source")
        database = opened(self, self.paths["source"])
        keys = {"openai": ("k",), "anthropic": ("k1", "k2")}
        self.successResultOf(database.projects.create(project(api_keys=keys)))
        for number in range(3):
            self.successResultOf(database.tokens.create(token(f"t{number}", max_requests=2**40)))
        self.target = self.engine("target")

    paths: dict[str, str] = {}

    def engine(self, name: str) -> Any:
        self.paths = {**self.paths, name: self.mktemp()}
        location = locate(self.paths[name], 1)
        location.make_file()
        engine = location.engine()
        self.addCleanup(engine.dispose)
        return engine

    def move(self, force: bool = False, change: Any = None) -> dict[str, int]:
        with self.source.begin() as reading, self.target.begin() as writing:
            source = DatabaseSource(reading)
            if change is not None:
                change(source)
            return load(writing, source, force=force)

    def everything(self, engine: Any) -> dict[str, Any]:
        with engine.begin() as connection:
            return {name: sorted(rows, key=repr) for name, rows in DatabaseSource(connection).rows()}

    def execute(self, engine: Any, statement: str) -> Any:
        with engine.begin() as connection:
            return connection.execute(text(statement))

    def test_everything(self) -> None:
        """Every table of the schema arrives, whatever the schema is."""
        arrived = self.move()
        self.assertEqual(set(arrived), set(metadata.tables))
        self.assertEqual((arrived["projects"], arrived["project_keys"], arrived["tokens"]), (1, 2, 3))
        self.assertEqual(self.everything(self.target), self.everything(self.source))
        self.successResultOf(opened(self, self.paths["target"]).tokens.get("t1"))

    def test_not_empty(self) -> None:
        """What is there is left alone; with force nothing of it stays."""
        self.move()
        self.execute(self.target, "UPDATE tokens SET hint = 'precious'")
        self.assertRaises(NotEmpty, self.move)
        self.assertEqual(self.execute_scalar("SELECT count(*) FROM tokens WHERE hint = 'precious'"), 3)
        self.move(force=True)
        self.assertEqual(self.everything(self.target), self.everything(self.source))

    def execute_scalar(self, statement: str) -> Any:
        with self.target.begin() as connection:
            return connection.scalar(text(statement))

    def test_empty(self) -> None:
        """A schema that a proxy has just made is empty."""
        with self.target.begin() as connection:
            migrate(connection)
            # What a proxy notes of itself as it starts.
            row = {"id": "1", "noted_at": 1.0, "groups": "*", "version": "v", "version_before": "", "content": "{}"}
            connection.execute(agent_settings.insert().values(row))
            self.assertTrue(is_empty(connection))
        self.move()
        with self.target.begin() as connection:
            self.assertFalse(is_empty(connection))

    def test_earlier_schema(self) -> None:
        """What is of the first schema is moved as it is, and upgraded where it arrives."""
        old = self.engine("old")
        with old.begin() as connection:
            migrate(connection, "0001")
            connection.execute(
                text("INSERT INTO projects (id, name, api_key, created_at, updated_at) VALUES ('p9', 'old', 'k', 1, 1)")
            )
        self.move()
        self.source = old
        self.move(force=True)
        with self.target.begin() as connection:
            self.assertEqual(revision_of(connection), HEAD)
        found = self.successResultOf(opened(self, self.paths["target"]).projects.list())
        self.assertEqual([each.name for each in found], ["old"])

    def test_later_schema(self) -> None:
        """What a later release wrote is not guessed at, and what is there stays."""
        self.move()

        def later(source: DatabaseSource) -> None:
            source.revision = "9999"

        error = self.assertRaises(ConfigError, self.move, True, later)
        self.assertIn("revision 9999) is newer than this program", str(error))
        self.assertEqual(self.everything(self.target), self.everything(self.source))

    def test_something_missing(self) -> None:
        """If less arrives than there is, nothing does."""

        def half(source: DatabaseSource) -> None:
            def rows() -> Iterator[Any]:
                for name, found in DatabaseSource.rows(source):
                    yield name, found[:1]

            source.rows = rows  # type: ignore[method-assign]

        error = self.assertRaises(ConfigError, self.move, False, half)
        self.assertIn("not everything arrived", str(error))
        with self.target.begin() as connection:
            self.assertIsNone(revision_of(connection))

    def test_not_ours(self) -> None:
        """A database of something else is not a source."""
        with self.target.begin() as connection:
            self.assertRaises(ConfigError, DatabaseSource, connection)
