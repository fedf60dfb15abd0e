"""
Many rows in one statement, the fastest way that each database has.

Rows are taken as they are stored; the caller puts them in an order that is the same for all who write such rows, so
that no two wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Table, any_, literal
from sqlalchemy.types import BigInteger, Integer, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect

    Row = Sequence[Any]


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """
    @param rows: the values of all columns, in their order.
    @raise sqlalchemy.exc.IntegrityError: one is there already.
    """
    _execute(connection, table, rows, _inserting(table, connection.dialect))


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Those that are not there yet."""
    statement = _inserting(table, connection.dialect)
    key = table.primary_key.columns[0].name
    if connection.dialect.name == "mysql":
        ending = f" ON DUPLICATE KEY UPDATE {_quoted(connection.dialect, key)} = {_quoted(connection.dialect, key)}"
    else:
        ending = " ON CONFLICT DO NOTHING"
    _execute(connection, table, rows, statement + ending)


def add(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Those that are not there yet; to the others, what is no part of the primary key is added."""
    statement = _adding(table, connection.dialect)
    if connection.dialect.name == "sqlite":
        # Past SQLAlchemy, which wants a list: a row is made, bound, and gone before the next one.
        cursor: Any = connection.connection.cursor()
        cursor.executemany(statement, rows)
    else:
        _execute(connection, table, list(rows), statement)


def among(dialect: str, column: Any, values: Sequence[Any]) -> Any:
    """
    The condition that a column is one of many values.

    PostgreSQL gets them as one parameter. Of a statement with hundreds of them it makes a plan for values that it does
    not know, which compares each with each row.

    @param dialect: its name.
    """
    if dialect != "postgresql":
        return column.in_(values)
    from sqlalchemy.dialects.postgresql import ARRAY

    return column == any_(literal(list(values), ARRAY(column.type)))


def _execute(connection: Connection, table: Table, rows: Sequence[Row], statement: str) -> None:
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
    else:
        connection.exec_driver_sql(statement, list(map(tuple, rows)))


@lru_cache(32)
def _inserting(table: Table, dialect: Dialect) -> str:
    names = ", ".join(_quoted(dialect, each.name) for each in table.columns)
    into = f"INSERT INTO {table.name} ({names})"
    if dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{_kind(each.type)}[]" for each in table.columns)
        return f"{into} SELECT * FROM unnest({arrays})"  # noqa: S608
    mark = "?" if dialect.name == "sqlite" else "%s"
    return f"{into} VALUES ({', '.join([mark] * len(table.columns))})"


@lru_cache(32)
def _adding(table: Table, dialect: Dialect) -> str:
    names = [_quoted(dialect, each.name) for each in table.columns if not each.primary_key]
    if dialect.name == "mysql":
        more = ", ".join(f"{name} = {name} + VALUES({name})" for name in names)
        return f"{_inserting(table, dialect)} ON DUPLICATE KEY UPDATE {more}"
    keys = ", ".join(_quoted(dialect, each.name) for each in table.primary_key.columns)
    more = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names)
    return f"{_inserting(table, dialect)} ON CONFLICT ({keys}) DO UPDATE SET {more}"


def _kind(kind: Any) -> str:
    """PostgreSQL's name of a type as it is stored."""
    stored = kind.impl if isinstance(kind, TypeDecorator) else kind
    if isinstance(stored, Boolean):
        return "boolean"
    return "bigint" if isinstance(stored, BigInteger | Integer) else "text"


def _quoted(dialect: Dialect, name: str) -> str:
    quoted: str = dialect.identifier_preparer.quote(name)
    return quoted


def chunks(values: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Of so many at most."""
    listed = list(values)
    return (listed[at : at + size] for at in range(0, len(listed), size))
