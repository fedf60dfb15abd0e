"""
One step back of the schema: what it takes away, and who has the database open meanwhile.

What a step takes away is found by making the schema of both revisions, so that no revision has to say it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sqlalchemy import Boolean, and_, column, create_engine, func, inspect, select, table, text

from ..errors import ConfigError
from .migrate import config, is_later, lock, revision_of, unlock, upgrade

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .backend import Backend

PATIENCE = 0.5
"""Seconds to wait for somebody who has a file of SQLite open."""

Shape = Mapping[str, Mapping[str, Any]]
"""Of each table its columns, as SQLAlchemy describes them."""

_OTHERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}


@frozen
class Loss:
    """
    @ivar what: a table, or a column as C{table.column}.
    @ivar rows: how many have something there.
    """

    what: str
    rows: int

    @property
    def words(self) -> str:
        kind = "" if "." in self.what else "table "
        return f"{kind}{self.what} ({self.rows} row{'' if self.rows == 1 else 's'})"


def step_back(connection: Connection) -> tuple[str, str]:
    """
    The revision that is there, and the one before it.

    @raise ConfigError: there is none before it, or none that is known here.
    """
    from alembic.script import ScriptDirectory

    found = revision_of(connection)
    if found is None:
        raise ConfigError("it has no tables of llmproxy")
    if is_later(found):
        raise ConfigError(
            f"its schema is revision {found}, which this program does not know: use the release that does"
        )
    script = ScriptDirectory.from_config(config()).get_revision(found)
    before = None if script is None else script.down_revision
    if not isinstance(before, str):
        raise ConfigError(f"its schema is revision {found}: there is none before it")
    return found, before


def losses(connection: Connection, found: str, to: str) -> list[Loss]:
    """What has rows, or values that are not those of a new row, and is not there in C{to}."""
    now, then, there = _shape(found), _shape(to), _columns(connection)
    lost = []
    # What a step that was interrupted has dropped is lost already.
    for name in sorted(now.keys() & there.keys()):
        if name not in then:
            lost.append(Loss(name, _rows(connection, select(func.count()).select_from(table(name)))))
            continue
        for each in sorted(now[name].keys() & there[name] - then[name].keys()):
            lost.append(Loss(f"{name}.{each}", _rows(connection, _filled(name, now[name][each]))))
    return [each for each in lost if each.rows]


def downgrade(connection: Connection, to: str) -> None:
    """
    Take the step, in the transaction of C{connection}. MySQL commits each statement by itself: each can be repeated.
    """
    from alembic import command

    using = config()
    lock(connection)
    try:
        using.attributes["connection"] = connection
        command.downgrade(using, to)
    finally:
        unlock(connection)


def others(location: Backend, connection: Connection | None) -> int:
    """
    How many other connections to the database there are; proxies that run have some, even if nobody asks them.

    @param connection: to a server; to a file of SQLite it would be one of them.
    """
    if connection is None:
        return 0 if location.path is None else _others_of_file(location.path)
    statement = _OTHERS.get(connection.dialect.name)
    return 0 if statement is None else int(connection.scalar(text(statement)) or 0)


def _others_of_file(path: str) -> int:
    """1 if somebody has it open: only who is alone may leave the mode of WAL."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        if mode == "wal":
            return 1
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError:
        return 1
    finally:
        connection.close()
    return 0


def _shape(revision: str) -> Shape:
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            upgrade(connection, None, revision)
            found = inspect(connection)
            return {name: {each["name"]: each for each in found.get_columns(name)} for name in found.get_table_names()}
    finally:
        engine.dispose()


def _columns(connection: Connection) -> Mapping[str, set[str]]:
    found = inspect(connection)
    return {name: {each["name"] for each in found.get_columns(name)} for name in found.get_table_names()}


def _filled(name: str, described: Any) -> Any:
    """The query for rows that have something in a column."""
    kind = described["type"]
    value = column(described["name"], kind)
    default = str(described["default"] or "").strip("'()")
    conditions: list[Any] = [value.is_not(None)]
    if default.isdecimal():
        conditions.append(value != (bool(int(default)) if isinstance(kind, Boolean) else int(default)))
    return select(func.count()).select_from(table(name, value)).where(and_(*conditions))


def _rows(connection: Connection, query: Any) -> int:
    return int(connection.scalar(query) or 0)
