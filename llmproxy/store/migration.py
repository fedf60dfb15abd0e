"""
Migration of all that a database holds into another one, of any kind; through a file, or not.

Rows are taken and put as they are stored: moments as integers, upstream keys as they are encrypted,
counters and leases as they stand. Which tables and columns there are is asked of the databases, not
listed here, so that what is of an earlier schema can be moved too: it is upgraded where it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Boolean, MetaData, Table, delete, func, inspect, select, text
from sqlalchemy.dialects.mysql import TINYINT
from sqlalchemy.engine import Connection

from ..errors import ConfigError
from .migrate import is_later, migrate, revision_of
from .schema import metadata

BATCH = 1000
"""Rows that are in memory at once."""

BOOKKEEPING = frozenset({"agent_settings", "counters", "settings"})
"""Tables that have rows without anybody having put something into the database."""

Row = Sequence[Any]


class Source(Protocol):
    """
    @ivar revision: of its schema.
    @ivar tables: the names of its tables, those first that others refer to, and the columns of each.
    @ivar counts: the rows of each table.
    """

    revision: str
    tables: dict[str, list[str]]
    counts: dict[str, int]

    def rows(self) -> Iterator[tuple[str, list[Row]]]:
        """All rows, a few at a time, in the order of C{tables}."""


class NotEmpty(Exception):
    """There is something already where everything is to be put."""


class DatabaseSource:
    """
    What a database holds.

    @param connection: in a transaction that sees one moment of it.
    @raise ConfigError: it has no tables of ours.
    """

    def __init__(self, connection: Connection) -> None:
        found = revision_of(connection)
        if found is None:
            raise ConfigError("it has no tables of llmproxy")
        self.revision = found
        self._connection = connection
        self._tables = [_with_booleans(table) for table in _tables(connection)]
        self.tables = {table.name: [column.name for column in table.columns] for table in self._tables}
        self.counts = {table.name: _count(connection, table) for table in self._tables}

    def rows(self) -> Iterator[tuple[str, list[Row]]]:
        if is_later(self.revision):
            # There may be tables that are not known here, and would be missing.
            raise ConfigError(f"its schema (revision {self.revision}) is of a later release: use that one to move it")
        streaming = self._connection.execution_options(stream_results=True)
        for table in self._tables:
            for batch in streaming.execute(select(table)).partitions(BATCH):
                yield table.name, [tuple(row) for row in batch]


def load(
    connection: Connection, source: Source, *, force: bool = False, advance: Callable[[int], object] = lambda rows: None
) -> dict[str, int]:
    """
    Put everything that C{source} has into a database, and bring its schema up to date; the rows of each table.

    @param connection: in a transaction that may write. Until it is committed nothing has happened,
        but for changes of the schema on MySQL.
    @param force: what is there is deleted.
    @param advance: called with how many rows were put.
    @raise NotEmpty: something is there.
    @raise ConfigError: the schema of C{source} is not known, or not everything arrived.
    """
    _make_room(connection, source.revision, force)
    tables = {table.name: table for table in _tables(connection)}
    for name, rows in source.rows():
        columns = source.tables[name]
        connection.execute(tables[name].insert(), [dict(zip(columns, row, strict=True)) for row in rows])
        advance(len(rows))
    arrived = {name: _count(connection, tables[name]) for name in source.tables}
    if arrived != source.counts:
        raise ConfigError(f"not everything arrived: {arrived}, expected {source.counts}")
    _continue_sequences(connection, list(tables.values()))
    migrate(connection)
    return arrived


def is_empty(connection: Connection) -> bool:
    """Whether nobody has put anything into a database."""
    tables = [table for table in _tables(connection) if table.name not in BOOKKEEPING]
    return not any(_count(connection, table) for table in tables)


def _make_room(connection: Connection, revision: str, force: bool) -> None:
    """Have the tables of that revision, without rows."""
    found = revision_of(connection)
    if found is not None:
        if not force and not is_empty(connection):
            raise NotEmpty()
        if found == revision:
            for table in reversed(_tables(connection)):
                connection.execute(delete(table))
            return
        for table in reversed(_tables(connection)):
            table.drop(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    migrate(connection, revision)
    for table in reversed(_tables(connection)):
        connection.execute(delete(table))


def _tables(connection: Connection) -> list[Table]:
    """Those of ours that there are, as the database describes them, those first that others refer to."""
    known = set(inspect(connection).get_table_names()) & set(metadata.tables)
    found = MetaData()
    found.reflect(connection, only=sorted(known))
    return [table for table in found.sorted_tables if table.name in known]


def _with_booleans(table: Table) -> Table:
    """MySQL has none of its own: a boolean is an integer of one digit there."""
    for column in table.columns:
        if isinstance(column.type, TINYINT) and column.type.display_width == 1:
            column.type = Boolean()
    return table


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _continue_sequences(connection: Connection, tables: list[Table]) -> None:
    """PostgreSQL does not learn from numbers that it was given which ones come next."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key.columns:
            named = {"table": table.name, "column": column.name}
            sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), named)
            last = connection.scalar(select(func.max(column)))
            if sequence is not None and last is not None:
                connection.execute(select(func.setval(sequence, last)))
