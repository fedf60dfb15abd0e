"""The tables as queries see them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.schema import Moment, metadata


class MomentTests(SynchronousTestCase):
    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 2**52))
    def test_exact(self, microseconds: int) -> None:
        """A moment comes back as it went in, to the microsecond, until the year 2112."""
        dialect = sqlite.dialect()
        moment = Moment().process_result_value(microseconds, dialect)
        assert Moment().process_bind_param(moment, dialect) == microseconds

    def test_none(self) -> None:
        """No moment stays none."""
        self.assertIsNone(Moment().process_bind_param(None, sqlite.dialect()))
        self.assertIsNone(Moment().process_result_value(None, sqlite.dialect()))


class DialectTests(SynchronousTestCase):
    def test_compiles(self) -> None:
        """Every table can be said in the words of each database."""
        for dialect in (sqlite.dialect(), postgresql.dialect(), mysql.dialect()):  # type: ignore[no-untyped-call]
            for table in metadata.sorted_tables:
                self.assertIn(table.name, str(CreateTable(table).compile(dialect=dialect)))
