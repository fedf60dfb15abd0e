"""The database: opened, migrated, and asked on threads of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from ..errors import ConfigError
from ..interfaces import IHealthCheck
from .secrets import Cipher, WrongKey

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from .projects import ProjectStore
    from .tokens import TokenStore

T = TypeVar("T")

_CHECK = "llmproxy"


def open_database(reactor: Any, url: str, *, encryption_key: bytes | None = None, threads: int = 4) -> Database:
    """
    @param url: C{sqlite:///path}, a bare path, or C{:memory:}.
    @raise ConfigError: a URL that is not understood.
    """
    path = _sqlite_path(url)
    return Database(reactor, path, Cipher(encryption_key), threads)


def _sqlite_path(url: str) -> str:
    if url in (":memory:", "sqlite://", "sqlite:///:memory:"):
        return ":memory:"
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return rest[1:]
    raise ConfigError(
        f"database: '{scheme}://' is not a database that can be opened; expected sqlite:///relative/path, "
        "sqlite:////absolute/path or a path"
    )


@implementer(IHealthCheck)
class Database:
    """
    @ivar statements: SQL statements that were sent, so far.
    """

    name = "database"

    def __init__(self, reactor: Any, path: str, cipher: Cipher, threads: int = 4) -> None:
        from .projects import ProjectStore
        from .tokens import TokenStore

        self._reactor = reactor
        self._path = path
        self.cipher = cipher
        self._engine: Engine | None = None
        # One connection is all that a database in memory has.
        self._pool = ThreadPool(1, 1 if path == ":memory:" else threads, name="llmproxy-database")
        self.statements = 0
        self.projects: ProjectStore = ProjectStore(self)
        self.tokens: TokenStore = TokenStore(self)

    def start(self) -> Deferred[None]:
        """
        Open, migrate, check the key. Fails with L{ConfigError}: one line that says what is wrong.
        """
        self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, self._open)

    def run(self, work: Callable[[Connection], T]) -> Deferred[T]:
        """
        Do C{work} in a transaction, on a thread.

        Cancelling it does not stop the transaction: what was begun is done.
        """
        return deferToThreadPool(self._reactor, self._pool, self._transact, work)

    def check(self) -> Deferred[None]:
        return self.run(_ask).addErrback(_unavailable)

    def close(self) -> Deferred[None]:
        """Let running work end, then close."""

        def closed(result: object) -> None:
            self._pool.stop()

        if not self._pool.started:
            from twisted.internet.defer import succeed

            return succeed(None)
        return deferToThreadPool(self._reactor, self._pool, self._dispose).addBoth(closed)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        assert self._engine is not None
        with self._engine.begin() as connection:
            return work(connection)

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()

    def _open(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._make_file()
            self._engine = self._connect()
            self._migrate()
            with self._engine.begin() as connection:
                self._check_key(connection)
        except OSError as error:
            raise ConfigError(f"database {self._path}: cannot be opened: {error.strerror}") from None
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or type(error).__name__
            raise ConfigError(f"database {self._path}: cannot be used: {reason}") from None

    def _make_file(self) -> None:
        """The file is its owner's alone: upstream keys and hashes of tokens are in it."""
        if self._path == ":memory:":
            return
        directory = os.path.dirname(self._path)
        if directory:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))

    def _connect(self) -> Engine:
        from sqlalchemy import create_engine, event
        from sqlalchemy.pool import QueuePool, StaticPool

        memory = self._path == ":memory:"
        engine = create_engine(
            "sqlite:///" + ("" if memory else self._path),
            poolclass=StaticPool if memory else QueuePool,
            connect_args={"check_same_thread": False, "timeout": 10.0},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, record: Any) -> None:
            # The driver begins no transaction before a write, and so sees two states in one; we begin our own.
            connection.isolation_level = None
            for pragma in ("foreign_keys=ON", "busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        @event.listens_for(engine, "before_cursor_execute")
        def count(*arguments: Any) -> None:
            self.statements += 1

        return engine

    def _migrate(self) -> None:
        from sqlalchemy import inspect, text

        from .schema import HEAD

        assert self._engine is not None
        with self._engine.begin() as connection:
            version = None
            if inspect(connection).has_table("alembic_version"):
                version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            if version == HEAD:
                # Alembic is slow to import, and there is nothing for it to do.
                return
            if version is not None and version > HEAD:
                raise ConfigError(
                    f"database {self._path}: was written by a newer llmproxy (schema {version}, this one has {HEAD})"
                )
            _upgrade(connection)

    def _check_key(self, connection: Connection) -> None:
        from sqlalchemy import insert, select

        from .schema import key_checks

        stored = connection.execute(select(key_checks.c.value)).scalar()
        if stored is None:
            if self.cipher.encrypts:
                connection.execute(insert(key_checks).values(id=1, value=self.cipher.encrypt(_CHECK).encode()))
            return
        try:
            self.cipher.decrypt(bytes(stored).decode())
        except WrongKey as error:
            raise ConfigError(f"database {self._path}: {error}") from None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", os.path.join(os.path.dirname(__file__), "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _ask(connection: Connection) -> None:
    from sqlalchemy import text

    connection.execute(text("SELECT 1"))


def _unavailable(reason: Any) -> None:
    raise RuntimeError("the database does not answer") from reason.value
