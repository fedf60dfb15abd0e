"""The schema brought up to date."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store import migrations
from llmproxy.store.engine import open_database
from llmproxy.store.migrate import config, migrate, oldest_of, revision_of, upgrade
from llmproxy.store.schema import HEAD, OLDEST, metadata
from llmproxy.store.threads import NoThreads

from .databases import KEY, clock_at, opened, project, token


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

    def test_steps_back(self) -> None:
        """Each step back can be repeated: MySQL commits each statement by itself, and may be cut off in the midst."""
        versions = Path(migrations.__file__).parent / "versions"
        # None leads to before the first.
        steps = {path.name: path.read_text("utf-8").partition("def downgrade")[2] for path in versions.glob("v*.py")}
        wrong = [name for name, text in sorted(steps.items())[1:] if "op.drop_" in text or not text]
        self.assertEqual(wrong, [])


class AdditionTests(SynchronousTestCase):
    """What an earlier program can rely on, from revision 0007 on."""

    def test_only_adds(self) -> None:
        """No revision takes away, renames or changes anything, or adds a column that has to be filled in."""
        names = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]
        with create_engine("sqlite://").begin() as connection:
            upgrade(connection, None, "0007")
            before = described(connection)
            for earlier, later in pairwise(names[names.index("0007") :]):
                upgrade(connection, earlier, later)
                after = described(connection)
                for table, columns in before.items():
                    self.assertEqual({name: after[table].get(name) for name in columns}, columns, (later, table))
                    for name in after[table].keys() - columns.keys():
                        _, nullable, default = after[table][name]
                        self.assertTrue(nullable or default is not None, (later, table, name))
                before = after

    def test_says_for_whom(self) -> None:
        """The schema says which programs may work on it, however it came to be."""
        with create_engine("sqlite://").begin() as made, create_engine("sqlite://").begin() as upgraded:
            migrate(made)
            upgrade(upgraded, None, HEAD)
            self.assertEqual([oldest_of(made), oldest_of(upgraded)], [OLDEST, OLDEST])
        self.assertLessEqual(OLDEST, HEAD)


def described(connection: Any) -> dict[str, dict[str, tuple[str, bool, Any]]]:
    """The columns of each table: type, whether it may be empty, default."""
    found = inspect(connection)
    return {
        table: {
            each["name"]: (str(each["type"]), each["nullable"], each["default"]) for each in found.get_columns(table)
        }
        for table in found.get_table_names()
    }


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
        self.execute("UPDATE alembic_version SET version_num = '9999'", "DELETE FROM settings")
        self.assertEqual(
            self.refused(),
            f"database PATH: its schema (revision 9999) is newer than this program, which knows up to {HEAD}",
        )

    def test_newer_that_takes_us(self) -> None:
        """A schema of a later release, with more in it, that says that this program may work on it."""
        self.execute(
            "UPDATE alembic_version SET version_num = '9999'",
            "ALTER TABLE tokens ADD COLUMN added VARCHAR(8)",
            "ALTER TABLE audit_events ADD COLUMN counted BIGINT NOT NULL DEFAULT 0",
            "CREATE TABLE added (id BIGINT PRIMARY KEY)",
        )
        with capturedLogs() as logged:
            database = opened(self, self.path)
        told = [formatEvent(event) or "" for event in logged]
        self.assertIn(f"its schema is revision 9999, of a later release, which lets this one ({HEAD}) work", str(told))
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token()))
        self.assertEqual(len(self.successResultOf(database.tokens.list())), 1)
        self.assertEqual(self.successResultOf(database.read(revision_of)), "9999")

    def test_newer_that_does_not(self) -> None:
        """One that has to have a later program, or says nothing that is understood, is not touched."""
        later = str(int(HEAD) + 1).zfill(4)
        for said, words in ((later, f", and takes programs that know {later} at least"), ("x", None), ("0", None)):
            self.path = self.mktemp()
            self.execute(
                f"UPDATE settings SET value = '{said}' WHERE name = 'schema.oldest'",
                "UPDATE alembic_version SET version_num = '9999'",
            )
            expected = words or f", and takes programs that know {said} at least"
            self.assertTrue(self.refused().endswith(f"which knows up to {HEAD}{expected}"), said)

    def test_foreign(self) -> None:
        """A database of the reference, or of anything else with such tables, is not written into."""
        self.execute("DROP TABLE alembic_version")
        self.assertEqual(
            self.refused(),
            "database PATH: it has tables of another program, and none that says which revision they are; "
            "what llm-proxy has moves into another one by llmproxy db import-go",
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
