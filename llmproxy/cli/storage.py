"""The database itself, for commands that do not ask a running proxy: as the proxy's own environment describes it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from ..config.databases import Storage, sqlite_url
from ..config.dotenv import with_dotenv
from ..config.environment import read_storage
from ..config.variables import DEFAULT_DATABASE
from ..errors import ConfigError
from .faults import Fault, Unreachable
from .output import Output, warn
from .target import DATA

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..store.backend import Backend


def storage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command C{--database}, C{--env} and C{--json}, and call it with C{storage} and C{output}.
    """

    @functools.wraps(command)
    def asking(database: str | None, env: str | None, as_json: bool, **options: Any) -> Any:
        warn_of_password("--database", database)
        return command(storage=storage_of(database, env), output=Output(as_json), **options)

    for option in reversed(OPTIONS):
        asking = option(asking)
    return asking


OPTIONS = (
    click.option("--database", metavar="URL", help="sqlite:///path, or a path. [DATABASE_URL, DATABASE_PATH]"),
    click.option("--env", metavar="FILE", help="A file of variables; those that are set already stay as they are."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


def storage_of(database: str | None, dotenv: str | None, more: Mapping[str, str] | None = None) -> Storage:
    """
    @param more: variables that come before those of the environment.
    @raise Fault: a variable cannot be understood.
    """
    try:
        env = {**with_dotenv(os.environ, dotenv), **(more or {})}
        if database:
            env = {**env, "DATABASE_URL": "", "DATABASE_URL_FILE": "", "DB_DRIVER": ""}
        found = read_storage(env, _read)
    except ConfigError as error:
        raise Fault("; ".join(error.problems)) from None
    return evolve(found, database_url=database) if database else found


def storage_of_proxy(database: str | None, dotenv: str | None, data: str | None = None) -> Storage:
    """
    The same for commands about what a proxy has kept: where nothing else says where that is, it is looked for in the
    directory of C{llmproxy quickstart}.

    @param data: that directory, if it was named.
    @raise Fault: likewise.
    """
    found = storage_of(database, dotenv)
    is_described = database or found.database_url != sqlite_url(DEFAULT_DATABASE) or os.path.exists(DEFAULT_DATABASE)
    in_data = None if database else data or (DATA if os.path.isdir(DATA) and not is_described else None)
    if in_data is None:
        return found
    return evolve(found, database_url=sqlite_url(os.path.join(in_data, "llmproxy.db")))


def is_of_quickstart(storage: Storage) -> bool:
    """Whether that is what L{storage_of_proxy} has found there: a proxy without a configuration."""
    return storage.database_url == sqlite_url(os.path.join(DATA, "llmproxy.db"))


def warn_of_password(option: str, url: str | None) -> None:
    """Say that a password on the command line can be seen."""
    login, at, _ = (url or "").partition("://")[2].rpartition("@")
    if at and ":" in login:
        warn(f"everybody on this machine can see the password in {option}; name a file with the variable's _FILE form")


def located(url: str) -> Backend:
    """
    @raise Fault: the URL cannot be understood, or its driver is not installed.
    """
    from ..store.backend import locate

    try:
        return locate(url, 1)
    except ConfigError as error:
        raise Fault(str(error)) from None


@contextmanager
def faults_of(location: Backend) -> Iterator[None]:
    """What a database fails with becomes what ends a command, in one line that shows no password."""
    from sqlalchemy.exc import OperationalError

    from ..store.database import FAULTS, reason_of

    try:
        yield
    except ConfigError as error:
        raise Fault("; ".join(f"{location.label}: {problem}" for problem in error.problems)) from None
    except OperationalError as error:
        raise Unreachable(f"{location.label}: {reason_of(error)}") from None
    except FAULTS as error:
        raise Fault(f"{location.label}: {reason_of(error)}") from None


@contextmanager
def reading(location: Backend) -> Iterator[Connection]:
    """
    A transaction that sees one moment of the database, whatever is written meanwhile.

    @raise Fault: there is no such file; opening must not make one.
    """
    if location.path is not None and not os.path.exists(location.path):
        raise Fault(f"{location.label}: there is no such file")
    engine = location.engine()
    snapshot = engine if location.is_sqlite else engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with faults_of(location), snapshot.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def writing(location: Backend) -> Iterator[Connection]:
    """
    A transaction that may write; what is not finished has not happened.

    MySQL commits each change of the schema by itself.
    """
    engine = location.engine()
    try:
        with faults_of(location), engine.execution_options(llmproxy_writes=True).begin() as connection:
            yield connection
    finally:
        engine.dispose()


def check_revision(location: Backend, connection: Connection) -> None:
    """
    @raise Fault: its schema is none that this program works on; see L{llmproxy.store.migrate.works_on}.
    """
    from ..store.migrate import is_later, revision_of, works_on
    from ..store.schema import HEAD

    found = revision_of(connection)
    if found is None:
        raise Fault(f"{location.label}: it has no tables of llmproxy")
    if not works_on(connection, found):
        mend = "use the release that made it, or a later one" if is_later(found) else "run llmproxy db upgrade"
        raise Fault(f"{location.label}: its schema is revision {found}, not {HEAD}: {mend}")


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
