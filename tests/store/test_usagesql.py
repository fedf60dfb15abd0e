"""Statements that sum up usage. What they find is in tests/contracts/usagereports.py."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects import mysql, postgresql, sqlite
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import UsageQuestion
from llmproxy.core.usageplan import plan
from llmproxy.core.usagesums import NUMBERS
from llmproxy.store.usagesql import grouped, ranked, rolled_up, scanned, values

from ..tables import row
from .databases import opened

DIALECTS: tuple[Any, ...] = (sqlite.dialect(), postgresql.dialect(), mysql.dialect())  # type: ignore[no-untyped-call]


class StatementTests(SynchronousTestCase):
    def test_hostile_names(self) -> None:
        """What callers name is given as a parameter, whatever the database: it is never part of a statement."""
        name = """x' ) -- "; DROP"""
        for groups in ((f"tag:{name}",), (f"metadata.{name}", "user"), ("project", f"tag:{name}")):
            question = UsageQuestion(groups, tokens=(name,), models=(name,))
            made = plan(question, [(0, 86_400)])
            for dialect in DIALECTS:
                with row(groups, dialect.name):
                    query = grouped(
                        [scanned(dialect.name, made, NUMBERS, {"token_id": (name,)}, [("tag", name)])], NUMBERS
                    )
                    self.assertNotIn("DROP", str(ranked(dialect.name, query, [(0, True)], 5).compile(dialect=dialect)))

    def test_reads_blocks(self) -> None:
        """SQLite looks up the wanted blocks by the primary key, and reads no other row."""
        database = opened(self)
        made = plan(UsageQuestion(("token",)), [(900, 900 + 90 * 86_400)])
        query = grouped([rolled_up("sqlite", made, NUMBERS, {}, None)], NUMBERS)
        written = str(query.compile(dialect=DIALECTS[0], compile_kwargs={"literal_binds": True}))
        explained = database.read(lambda c: c.execute(text(f"EXPLAIN QUERY PLAN {written}")).all())
        steps = [each[3] for each in self.successResultOf(explained)]
        wanted = "SEARCH usage_rollups USING PRIMARY KEY (cube=? AND level=? AND bucket=?)"
        self.assertIn(wanted, steps)
        self.assertIn("SEARCH usage_series USING INTEGER PRIMARY KEY (rowid=?)", steps)

    def test_values(self) -> None:
        """Rows of numbers, one or more."""
        database = opened(self)
        for rows in ([(1, 2)], [(1, 2), (-3, 4_000_000_000), (5, 6)]):
            with row(rows):
                found = database.read(lambda c, rows=rows: c.execute(values("sqlite", ("a", "b"), rows)).all())
                self.assertEqual([tuple(each) for each in self.successResultOf(found)], rows)
