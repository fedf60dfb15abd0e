"""
The schema brought up to date at a start, by however many processes start at once.

Whoever gets the lock first migrates; the others find the work done. The lock belongs to the one
connection that migrates and ends with it, so a process that dies leaves none behind.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from ..errors import ConfigError
from .newdatabase import is_empty, make
from .schema import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x6C6C6D70
"""Of PostgreSQL's advisory locks, ours; the bytes are C{llmp}."""

_LOCK_TIMEOUT = 300
"""Seconds to wait for another process's migration on MySQL; on PostgreSQL as long as it takes."""


def migrate(connection: Connection, to: str = HEAD) -> None:
    """
    Bring the schema to L{HEAD}, in the transaction of C{connection}.

    @param to: an earlier revision, for what is moved from one of those.
    @raise ConfigError: the schema is not one that this program knows.
    """
    if revision_of(connection) == to:
        return
    _lock(connection)
    try:
        found = revision_of(connection)
        if found is None and to == HEAD and is_empty(connection):
            found = make(connection)
        if found != to:
            upgrade(connection, found, to)
    finally:
        _unlock(connection)


def revision_of(connection: Connection) -> str | None:
    """What Alembic noted; C{None} for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
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
        raise ConfigError(f"its schema (revision {found or to}) is newer than this program, which knows up to {HEAD}")
    if found is None and inspect(connection).has_table("projects"):
        raise ConfigError("it has tables of another program, and none that says which revision they are")
    using.attributes["connection"] = connection
    command.upgrade(using, to)


def _lock(connection: Connection) -> None:
    # SQLite's transaction is IMMEDIATE: it holds the write lock already.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    elif connection.dialect.name == "mysql":
        taken = connection.scalar(text("SELECT GET_LOCK('llmproxy-migrations', :t)"), {"t": _LOCK_TIMEOUT})
        if taken != 1:
            raise ConfigError(f"another process has been migrating it for {_LOCK_TIMEOUT} seconds")


def _unlock(connection: Connection) -> None:
    if connection.dialect.name == "mysql":
        connection.execute(text("SELECT RELEASE_LOCK('llmproxy-migrations')"))
