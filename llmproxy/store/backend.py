"""
Backends: where a database is, and what is particular about each of the three kinds.

Everything that differs between SQLite, PostgreSQL and MySQL, but for the lock of the migrations,
stands in this file.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from typing import Any

from attrs import field, frozen
from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import QueuePool, StaticPool

from ..errors import ConfigError
from .watchdog import SocketWatchdog

BUSY_TIMEOUT = 10.0
"""
Seconds that a thread waits for a connection, everybody for a server that does not answer, and a start for an SQLite
that another process has locked.
"""

LOCKED_TIMEOUT = 2.0
"""Seconds that a call waits for SQLite, its turn and the lock of another process together: a client waits for it."""

CONNECT_TIMEOUT = 5
"""Seconds until a server must have taken a connection."""

SQLITE_READERS = 4
"""Threads that read a file; SQLite has one writer, whatever we do."""

_DRIVERS = {
    "postgres": ("postgresql+psycopg", "psycopg", "postgres"),
    "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "pymysql", "mysql"),
    "mariadb": ("mysql+pymysql", "pymysql", "mysql"),
}
"""URL scheme: what SQLAlchemy calls it, the module that must be there, our extra that brings it."""


@frozen
class Backend:
    """
    A database that can be connected to.

    @ivar label: what messages call it; without credentials.
    @ivar path: the file of SQLite, C{None} for memory and servers.
    @ivar readers: threads for reading.
    @ivar writers: threads for writing; 0 is to share the reading ones.
    """

    url: URL = field(repr=False)
    label: str
    readers: int
    writers: int
    path: str | None = None

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def patience(self) -> float:
        """Seconds that a call may wait for its turn."""
        return LOCKED_TIMEOUT if self.is_sqlite else BUSY_TIMEOUT

    @property
    def is_shared(self) -> bool:
        """Whether another process can open it."""
        return not self.is_sqlite or self.path is not None

    def engine(self, overdue: SocketWatchdog | None = None) -> Engine:
        """
        An engine that opens connections when asked to.

        Parameters never show up in errors: they hold hashes of tokens and encrypted keys.

        @param overdue: ends what a server does not answer; without it statements take as long as they
            take, which is for migrations.
        """
        options = self._sqlite_options() if self.is_sqlite else self._server_options(overdue is not None)
        engine = create_engine(self.url, hide_parameters=True, **options)
        if self.is_sqlite:
            event.listen(engine, "connect", partial(_prepare_sqlite, overdue))
            event.listen(engine, "begin", partial(_begin_sqlite, overdue))
        else:
            event.listen(engine, "checkout", partial(_check_out, engine.dialect, overdue))
        return engine

    def of_one_moment(self, engine: Engine) -> Engine:
        """The same for transactions all of whose statements see one moment, without a statement that says so."""
        return engine.execution_options(isolation_level="REPEATABLE READ") if self.is_postgresql else engine

    def listening(self, engine: Engine, channel: str) -> Any:
        """A connection of PostgreSQL's driver that listens on C{channel}; C{None} elsewhere."""
        if not self.is_postgresql:
            return None
        positional, named = engine.dialect.create_connect_args(self.url)
        options = {**named, "connect_timeout": CONNECT_TIMEOUT, "autocommit": True}
        connection = engine.dialect.loaded_dbapi.connect(*positional, **options)
        connection.execute(f"LISTEN {channel}")
        return connection

    @property
    def is_postgresql(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    def make_file(self) -> None:
        """Make the file, 0600, and its directory, 0700, where they are not there yet."""
        if self.path is None:
            return
        directory = os.path.dirname(os.path.abspath(self.path))
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))

    def _sqlite_options(self) -> dict[str, Any]:
        arguments = {"check_same_thread": False, "timeout": BUSY_TIMEOUT}
        if self.path is None:
            # The data are gone with the connection, so it is never replaced.
            return {"poolclass": StaticPool, "connect_args": arguments}
        return {"poolclass": QueuePool, "pool_size": self.readers + self.writers, "connect_args": arguments}

    def _server_options(self, hurried: bool) -> dict[str, Any]:
        arguments: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT}
        if self.url.get_backend_name() == "mysql":
            arguments["charset"] = "utf8mb4"
            if hurried:
                arguments |= {"read_timeout": int(BUSY_TIMEOUT), "write_timeout": int(BUSY_TIMEOUT)}
        return {
            "pool_size": self.readers,
            "max_overflow": 0,
            "pool_timeout": BUSY_TIMEOUT,
            # What a statement waits for a row must be there when it gets it; MySQL's default shows the old one.
            "isolation_level": "READ COMMITTED",
            "connect_args": arguments,
        }


def locate(url: str, pool_size: int) -> Backend:
    """
    Understand a URL or a path.

    @raise ConfigError: naming what is wrong, never quoting a URL with credentials.
    """
    if url == ":memory:":
        return _memory()
    if "://" not in url:
        return _file(url)
    try:
        parsed = make_url(url)
        # The port is parsed lazily.
        backend = parsed.drivername.partition("+")[0]
    except (ArgumentError, ValueError):
        raise ConfigError("database URL: cannot be parsed; expected dialect://user:password@host:port/name") from None
    if backend == "sqlite":
        return _memory() if parsed.database in (None, "", ":memory:") else _file(str(parsed.database))
    if backend not in _DRIVERS:
        known = "sqlite, postgresql, mysql"
        raise ConfigError(f"database URL: {backend!r} is not a kind of database that is known: {known}")
    return _server(parsed, backend, pool_size)


def _memory() -> Backend:
    return Backend(URL.create("sqlite", database=":memory:"), "the database in memory", 1, 0)


def _file(path: str) -> Backend:
    if not path:
        raise ConfigError("database: the path is empty")
    return Backend(URL.create("sqlite", database=path), f"database {path}", SQLITE_READERS, 1, path)


def _server(url: URL, backend: str, pool_size: int) -> Backend:
    drivername, module, extra = _DRIVERS[backend]
    if find_spec(module) is None:
        raise ConfigError(f"database URL: {backend} needs the driver {module}: pip install 'txllmproxy[{extra}]'")
    if not url.database:
        raise ConfigError(f"database URL: {backend}://{url.host or ''} names no database")
    label = f"database {url.database} at {backend}://{url.host or 'localhost'}{f':{url.port}' if url.port else ''}"
    return Backend(url.set(drivername=drivername), label, pool_size, 0)


def is_conflict(error: BaseException) -> bool:
    """
    Whether the database undid a transaction in favour of another one: it can be repeated as it was.

    PostgreSQL's 40001 and 40P01, MySQL's 1213: serialization failure, deadlock.
    """
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) in ("40001", "40P01"):
        return True
    arguments: tuple[object, ...] = getattr(original, "args", ())
    return type(original).__module__.startswith("pymysql") and arguments[:1] == (1213,)


def _check_out(dialect: Any, overdue: SocketWatchdog | None, connection: Any, record: object, proxy: object) -> None:
    """A connection that died while it was idle (the server was restarted) is replaced unseen."""
    if overdue is not None and dialect.name == "postgresql":
        overdue.took(connection)
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError() from error


def _prepare_sqlite(overdue: SocketWatchdog | None, connection: Any, record: object) -> None:
    _hurry(overdue, connection)
    # The driver would begin transactions by itself, and too late: before the first write only.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: a lease that was granted must be there after a power cut, or its uses are given out twice.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _hurry(overdue: SocketWatchdog | None, connection: Any) -> None:
    """Have SQLite wait for the locks of others for what is left to its caller, and no longer."""
    left = None if overdue is None else overdue.left
    if left is not None:
        connection.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")


def _begin_sqlite(overdue: SocketWatchdog | None, connection: Any) -> None:
    # Past SQLAlchemy, which would count it.
    _hurry(overdue, connection.connection.dbapi_connection)
    options = connection.get_execution_options()
    if options.get("llmproxy_single", False):
        # One statement that reads is a transaction by itself.
        return
    # IMMEDIATE takes the write lock at once. A transaction that reads first and is refused the lock later fails.
    writes = options.get("llmproxy_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
