"""One step back of the schema; tests/integration/test_downgrade.py takes all of them on real servers."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import create_engine, insert
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.backend import locate
from llmproxy.store.downgrade import Loss, downgrade, losses, others, step_back
from llmproxy.store.migrate import migrate, revision_of
from llmproxy.store.schema import HEAD, tokens

from ..tables import row
from .databases import opened, project, token


class StepTests(SynchronousTestCase):
    def connection(self) -> Any:
        connection = create_engine("sqlite://").connect()
        self.addCleanup(connection.close)
        return connection

    def test_before(self) -> None:
        """The step is that from the revision which is there."""
        connection = self.connection()
        migrate(connection, "0012")
        self.assertEqual(step_back(connection), ("0012", "0011"))

    def test_no_step(self) -> None:
        """Where there is none, it is said why."""
        for revision, words in (
            (None, "no tables"),
            ("0001", "there is none before"),
            ("9999", "does not know"),
        ):
            connection = self.connection()
            if revision is not None:
                migrate(connection, "0001")
                connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
            with row(revision):
                self.assertIn(words, str(self.assertRaises(ConfigError, step_back, connection)))

    def test_losses(self) -> None:
        """What has a row, or a value that nobody's default is, would be lost; empty tables and columns are nothing."""
        connection = self.connection()
        migrate(connection)
        self.assertEqual(losses(connection, HEAD, "0002"), [])
        values = {"id": "t", "token_hash": "0" * 64, "hint": "h", "project_id": "p", "created_at": 0, "version": 1}
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.execute(insert(tokens).values(**values, limits='{"rpm": 1}'))
        self.assertEqual(losses(connection, "0011", "0010"), [Loss("tokens.limits", 1)])
        self.assertEqual(losses(connection, "0003", "0002"), [])
        connection.exec_driver_sql("UPDATE tokens SET version = 7")
        self.assertEqual(losses(connection, "0003", "0002"), [Loss("tokens.version", 1)])

    def test_words(self) -> None:
        """A table is called one, and one row is no rows."""
        self.assertEqual(Loss("budgets", 2).words, "table budgets (2 rows)")
        self.assertEqual(Loss("tokens.limits", 1).words, "tokens.limits (1 row)")

    def test_interrupted(self) -> None:
        """A step that was cut off in the midst, as MySQL commits each statement, is finished by the next attempt."""
        for revision, statements in (
            ("0015", ["DROP TABLE budget_leases"]),
            ("0012", ["DROP INDEX ix_usage_series_cube", "DROP TABLE usage_answers"]),
            ("0011", ["ALTER TABLE projects DROP COLUMN budget_reset_at"]),
            ("0003", ["DROP TABLE idempotency_keys", "DROP INDEX ix_tokens_previous_hash"]),
        ):
            connection = self.connection()
            migrate(connection, revision)
            for statement in statements:
                connection.exec_driver_sql(statement)
            found, to = step_back(connection)
            with row(revision):
                self.assertEqual((found, losses(connection, found, to)), (revision, []))
                downgrade(connection, to)
                self.assertEqual(revision_of(connection), to)

    def test_all_the_way(self) -> None:
        """Step by step to the first revision, and forward again to what every program finds."""
        connection = self.connection()
        migrate(connection)
        shape = _shape(connection)
        while revision_of(connection) != "0001":
            _, to = step_back(connection)
            downgrade(connection, to)
            self.assertEqual(revision_of(connection), to)
        migrate(connection)
        self.assertEqual(_shape(connection), shape)


class OthersTests(SynchronousTestCase):
    def test_file(self) -> None:
        """A proxy that has the file open is seen, even if nobody asks it; one that has ended is not."""
        database = opened(self, path := self.mktemp())
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token()))
        self.assertEqual(others(locate(path, 1), None), 1)
        self.successResultOf(database.close())
        self.assertEqual(others(locate(path, 1), None), 0)
        with sqlite3.connect(path) as connection:
            self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))
        connection.close()


def _shape(connection: Any) -> Any:
    from sqlalchemy import inspect

    found = inspect(connection)
    return {
        name: (
            sorted(each["name"] for each in found.get_columns(name)),
            sorted(str(each["name"]) for each in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }
