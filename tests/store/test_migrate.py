"""The schema brought up to date."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.engine import open_database
from llmproxy.store.migrate import config, revision_of
from llmproxy.store.schema import HEAD, metadata
from llmproxy.store.threads import NoThreads

from .databases import KEY, clock_at, opened


class RevisionTests(SynchronousTestCase):
    def test_head(self) -> None:
        """The revision that a start compares with is the last one there is."""
        self.assertEqual(ScriptDirectory.from_config(config()).get_heads(), [HEAD])

    def test_tables(self) -> None:
        """The migrations make the tables that the queries are written for."""
        database = opened(self)

        def compare(connection: Any) -> Any:
            differences = compare_metadata(MigrationContext.configure(connection), metadata)
            # Indexes and constraints are the migrations' alone: no query names them.
            return [each for each in differences if each[0] not in ("remove_index", "remove_constraint", "remove_fk")]

        self.assertEqual(self.successResultOf(database.read(compare)), [])
        self.assertEqual(self.successResultOf(database.read(revision_of)), HEAD)


class MigrateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()

    def refused(self, key: bytes | None = KEY) -> str:
        database = open_database(clock_at(), self.path, encryption_key=key, threads=NoThreads)
        error = self.failureResultOf(database.start(), ConfigError).value
        self.assertEqual(len(error.problems), 1)
        return str(error).replace(self.path, "PATH")

    def execute(self, *statements: str) -> None:
        database = opened(self, self.path)
        for statement in statements:
            self.successResultOf(database.run(lambda connection, sql=statement: connection.execute(text(sql))))
        self.successResultOf(database.close())

    def test_second_start(self) -> None:
        """What is there is used as it is."""
        self.execute("INSERT INTO settings (name, value) VALUES ('mine', 'x')")
        database = opened(self, self.path)
        found = database.read(lambda c: c.scalar(text("SELECT value FROM settings WHERE name = 'mine'")))
        self.assertEqual(self.successResultOf(found), "x")

    def test_newer(self) -> None:
        """A database that a later release has migrated is not touched."""
        self.execute("UPDATE alembic_version SET version_num = '9999'")
        self.assertEqual(
            self.refused(),
            f"database PATH: its schema (revision 9999) is newer than this program, which knows up to {HEAD}",
        )

    def test_foreign(self) -> None:
        """A database of the reference, or of anything else with such tables, is not written into."""
        self.execute("DROP TABLE alembic_version")
        self.assertEqual(
            self.refused(),
            "database PATH: it has tables of another program, and none that says which revision they are",
        )

    def test_wrong_key(self) -> None:
        """A wrong key, or none, is found at the start; the right one still works then."""
        opened(self, self.path)
        words = "database PATH: ENCRYPTION_KEY is not the key that this database is encrypted with (its id is "
        self.assertTrue(self.refused(bytes(32)).startswith(words))
        self.assertEqual(
            self.refused(None),
            "database PATH: its upstream keys are encrypted, and ENCRYPTION_KEY is not set: "
            "set it, or name the file of variables that holds it with --env",
        )
        opened(self, self.path)

    def test_first_key(self) -> None:
        """A database that had no key takes the first one that comes."""
        opened(self, self.path, key=None)
        opened(self, self.path, key=KEY)
        self.refused(bytes(32))
