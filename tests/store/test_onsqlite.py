"""Tests of L{llmproxy.store.onsqlite}."""

from __future__ import annotations

from sqlalchemy import column, literal, or_, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.onsqlite import OnSQLite

from ..tables import row


class ConditionTests(SynchronousTestCase):
    def test_which(self) -> None:
        """Each database gets one of the two, as a condition that others can stand beside."""
        one, other = column("a") == literal(1), or_(column("b") == literal(2), column("c") == literal(3))
        statement = select(column("d")).where(OnSQLite(one, other), column("d") > literal(0))
        for dialect, expected in (
            (sqlite.dialect(), "(b = 2 OR c = 3) AND d > 0"),
            (postgresql.dialect(), "(a = 1) AND d > 0"),
            (mysql.dialect(), "(a = 1) AND d > 0"),
        ):
            with row(dialect.name):
                made = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
                self.assertEqual(made.partition("WHERE ")[2].replace("\n", ""), expected)
