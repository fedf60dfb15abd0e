"""Many rows in one statement; on the other databases, what uses it is tested."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store import bulk
from llmproxy.store.schema import usage_values

from ..tables import row
from .databases import opened


class BulkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)

    def write(self, call: Any, *rows: tuple[Any, ...]) -> None:
        self.successResultOf(self.database.run(lambda connection: call(connection, usage_values, rows)))

    def rows(self) -> list[tuple[Any, ...]]:
        query = select(usage_values).order_by(*usage_values.primary_key.columns)
        return [tuple(row) for row in self.successResultOf(self.database.read(lambda c: c.execute(query).all()))]

    def test_insert(self) -> None:
        """All rows, or none."""
        self.write(bulk.insert, (1, "tag", "a", 5), (1, "tag", "b", 6))
        twice = self.database.run(lambda c: bulk.insert(c, usage_values, [(2, "tag", "a", 1), (1, "tag", "a", 1)]))
        self.failureResultOf(twice, IntegrityError)
        self.assertEqual(self.rows(), [(1, "tag", "a", 5), (1, "tag", "b", 6)])

    def test_insert_new(self) -> None:
        """What is there stays as it is."""
        self.write(bulk.insert, (1, "tag", "a", 5))
        self.write(bulk.insert_new, (1, "tag", "a", 9), (1, "tag", "b", 6))
        self.assertEqual(self.rows(), [(1, "tag", "a", 5), (1, "tag", "b", 6)])

    def test_add(self) -> None:
        """What is there gets more; a row may come several times."""
        self.write(bulk.add, (1, "tag", "a", 5))
        self.write(bulk.add, (1, "tag", "a", 2), (1, "tag", "a", -1), (1, "tag", "b", 6))
        self.assertEqual(self.rows(), [(1, "tag", "a", 6), (1, "tag", "b", 6)])

    def test_nothing(self) -> None:
        before = self.database.statements
        self.write(bulk.add)
        self.assertEqual(self.database.statements - before, 1, "the beginning of the transaction")

    def test_among(self) -> None:
        """One parameter for PostgreSQL, however many values; one for each with the others."""
        for dialect, parameters in ((postgresql.dialect(), 1), (sqlite.dialect(), 3)):
            with row(dialect.name):
                condition = bulk.among(dialect.name, usage_values.c.name, ["a", "b", "c"])
                compiled = condition.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
                self.assertEqual(len(compiled.params), parameters)

    def test_chunks(self) -> None:
        """Pieces of so many at most."""
        self.assertEqual(list(bulk.chunks(range(5), 2)), [[0, 1], [2, 3], [4]])
        self.assertEqual(list(bulk.chunks((), 2)), [])
