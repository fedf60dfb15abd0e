"""The tables as queries see them."""

from __future__ import annotations

from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.schema import metadata


class DialectTests(SynchronousTestCase):
    def test_compiles(self) -> None:
        """Every table can be said in the words of each database."""
        for dialect in (sqlite.dialect(), postgresql.dialect(), mysql.dialect()):  # type: ignore[no-untyped-call]
            for table in metadata.sorted_tables:
                self.assertIn(table.name, str(CreateTable(table).compile(dialect=dialect)))
