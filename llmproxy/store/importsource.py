"""The database of the Go original (llm-proxy) as a source of rows, which cannot be written through it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.pool import NullPool

from ..errors import ConfigError
from .backend import CONNECT_TIMEOUT

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from ..management.importing import Row
    from .backend import Backend

TABLES = ("projects", "tokens", "audit_events")
"""In the order in which they are moved."""

BATCH = 500
"""Rows that are in memory at once."""

_COLUMNS = {"projects": ({"id"}, {"name"}, {"api_key", "openai_api_key"}), "tokens": ({"token"}, {"project_id"})}
"""What the tables have to have, one of each."""

_GO_ONLY = ("parseTime", "loc", "multiStatements", "collation")
"""Parameters of Go's MySQL driver that are nobody else's."""


_WAL, _VERSIONS_END = b"\x02\x02", 20
"""What the versions in a header of SQLite are in WAL mode, and where they end."""


def source_engine(location: Backend) -> Engine:
    """An engine that cannot write, whose transactions see one moment, and to whom moments are UTC."""
    if location.is_sqlite:
        engine = create_engine(
            "sqlite://", creator=lambda: _open_sqlite(str(location.path)), poolclass=NullPool, hide_parameters=True
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine
    url = location.url.difference_update_query(_GO_ONLY)
    arguments = {"connect_timeout": CONNECT_TIMEOUT} | ({} if location.is_postgresql else {"charset": "utf8mb4"})
    options = {"poolclass": NullPool, "hide_parameters": True, "connect_args": arguments}
    engine = create_engine(url, isolation_level="REPEATABLE READ", **options)
    event.listen(engine, "connect", _prepare_postgresql if location.is_postgresql else _prepare_mysql)
    return engine


def _open_sqlite(path: str) -> sqlite3.Connection:
    address = Path(os.path.abspath(path)).as_uri()
    # Even a reader of WAL makes files beside it, which the original, running as another user, could not open then.
    resting = "&immutable=1" if _is_at_rest(path) else ""
    connection = sqlite3.connect(f"{address}?mode=ro{resting}", uri=True, isolation_level=None)
    # A file of somebody else's: nothing in its schema is called, and nothing in it is text by its word alone.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
    return connection


def _is_at_rest(path: str) -> bool:
    """Whether a file in WAL mode has nothing beside it: no program has it open, and all of it is in the file."""
    try:
        with open(path, "rb") as file:
            versions = file.read(_VERSIONS_END)[-2:]
    except OSError:
        # SQLite says it.
        return False
    return versions == _WAL and not any(os.path.exists(path + ending) for ending in ("-wal", "-shm"))


def _prepare_postgresql(connection: Any, record: object) -> None:
    _say(connection, "SET TIME ZONE 'UTC'", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")


def _prepare_mysql(connection: Any, record: object) -> None:
    _say(connection, "SET time_zone = '+00:00'", "SET SESSION TRANSACTION READ ONLY")


def _say(connection: Any, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.commit()


class GoSource:
    """
    @param connection: in a transaction of L{source_engine}.
    @ivar counts: the rows of each table.
    @raise ConfigError: it is not a database of llm-proxy.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        there = inspect(connection)
        if there.has_table("alembic_version"):
            raise ConfigError("it is a database of llmproxy, not of llm-proxy: llmproxy db copy moves it")
        for name, needed in _COLUMNS.items():
            if not there.has_table(name):
                raise ConfigError(f"it is not a database of llm-proxy: it has no table {name}")
            found = set(connection.execute(text(f"SELECT * FROM {name} WHERE 1 = 0")).keys())  # noqa: S608
            for names in needed:
                if not names & found:
                    raise ConfigError(f"it is not a database of llm-proxy: {name} has no column {sorted(names)[0]}")
        self.counts = {name: self._count(name) if there.has_table(name) else 0 for name in TABLES}

    def rows(self, table: str) -> Iterator[Sequence[Row]]:
        """All rows of a table, a few at a time."""
        if self.counts[table]:
            streaming = self._connection.execution_options(stream_results=True)
            for rows in streaming.execute(text(f"SELECT * FROM {table}")).mappings().partitions(BATCH):  # noqa: S608
                yield [dict(row) for row in rows]

    def _count(self, table: str) -> int:
        return self._connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0  # noqa: S608
