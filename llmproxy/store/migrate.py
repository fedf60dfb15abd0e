"""
The schema brought up to date at a start, by however many processes start at once.

The process that gets the lock first migrates; the others find the work done. The lock belongs to the one
connection that migrates and ends with it, so a process that dies leaves none behind.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from ..errors import ConfigError
from .newdatabase import is_empty, make
from .schema import HEAD, OLDEST

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x6C6C6D70
"""Of PostgreSQL's advisory locks, ours; the bytes are C{llmp}."""

_OLDEST = "schema.oldest"
"""The row of C{settings} that says which programs may work on a schema."""

FOREIGN = (
    "it has tables of another program, and none that says which revision they are; "
    "what llm-proxy has moves into another one by llmproxy db import-go"
)

_LOCK_TIMEOUT = 300
"""Seconds to wait for another process's migration on MySQL; on PostgreSQL as long as it takes."""


def migrate(connection: Connection, to: str = HEAD) -> str:
    """
    Bring the schema to L{HEAD}, in the transaction of C{connection}; the revision that it has then. One of a later
    release that lets this program work on it stays as it is.

    @param to: an earlier revision, for what is moved from one of those.
    @raise ConfigError: the schema is not one that this program works on.
    """
    found = revision_of(connection)
    if found == to or (to == HEAD and works_on(connection, found)):
        return str(found)
    lock(connection)
    try:
        found = revision_of(connection)
        if found is None and to == HEAD and is_empty(connection):
            found = make(connection)
        if found != to:
            upgrade(connection, found, to)
        return to
    finally:
        unlock(connection)


def revision_of(connection: Connection) -> str | None:
    """What Alembic noted; C{None} for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def works_on(connection: Connection, revision: str | None) -> bool:
    """
    Whether this program can work on the schema as it is: its own, or a later one that says so.

    @param revision: of L{revision_of}.
    """
    return revision == HEAD or (is_later(revision) and _number(oldest_of(connection)) in range(1, int(HEAD) + 1))


def is_later(revision: str | None) -> bool:
    return _number(revision) > int(HEAD)


def oldest_of(connection: Connection) -> str | None:
    """The oldest program that may work on the schema, by the revision that it needs; C{None} if nothing is said."""
    found: str | None = connection.scalar(text("SELECT value FROM settings WHERE name = :name"), {"name": _OLDEST})
    return found


def config() -> Config:
    """Alembic's configuration, which needs no file."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", os.path.join(os.path.dirname(__file__), "migrations").replace("%", "%%"))
    return made


def upgrade(connection: Connection, found: str | None, to: str) -> None:
    """
    What L{migrate} does with the lock.

    @param found: the revision that is there.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    using = config()
    known = {script.revision for script in ScriptDirectory.from_config(using).walk_revisions()}
    if {found or to, to} - known:
        raise ConfigError(_too_new(found or to, None if found is None else oldest_of(connection)))
    if found is None and inspect(connection).has_table("projects"):
        raise ConfigError(FOREIGN)
    using.attributes["connection"] = connection
    command.upgrade(using, to)
    if to == HEAD:
        _say_oldest(connection)


def _say_oldest(connection: Connection) -> None:
    said = {"name": _OLDEST, "value": OLDEST}
    if not connection.execute(text("UPDATE settings SET value = :value WHERE name = :name"), said).rowcount:
        connection.execute(text("INSERT INTO settings (name, value) VALUES (:name, :value)"), said)


def _too_new(revision: str, oldest: str | None) -> str:
    least = f", and takes programs that know {oldest} at least" if oldest else ""
    return f"its schema (revision {revision}) is newer than this program, which knows up to {HEAD}{least}"


def _number(revision: str | None) -> int:
    return int(revision) if revision and revision.isascii() and revision.isdecimal() and len(revision) < 9 else 0


def lock(connection: Connection) -> None:
    """Wait until no other process changes the schema."""
    # SQLite's transaction is IMMEDIATE: it holds the write lock already.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    elif connection.dialect.name == "mysql":
        taken = connection.scalar(text("SELECT GET_LOCK('llmproxy-migrations', :t)"), {"t": _LOCK_TIMEOUT})
        if taken != 1:
            raise ConfigError(f"another process has been migrating it for {_LOCK_TIMEOUT} seconds")


def unlock(connection: Connection) -> None:
    if connection.dialect.name == "mysql":
        connection.execute(text("SELECT RELEASE_LOCK('llmproxy-migrations')"))
