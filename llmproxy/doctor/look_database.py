"""A look at the database, which changes nothing there: no file is made, no schema upgraded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve

from ..core.doctor.clock import SkewFacts
from ..core.doctor.database import DatabaseFacts, FileFacts
from ..errors import ConfigError
from .bounded import Late, at_once
from .look_configuration import mode_of
from .subject import Subject

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..store.backend import Backend

_MOST = {
    "postgresql": "SELECT setting FROM pg_settings WHERE name = 'max_connections'",
    "mysql": "SELECT @@max_connections",
}
_NOW = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT UNIX_TIMESTAMP(SYSDATE(6))",
}


ANSWERS_WITHIN = 8.0
"""Seconds; what accepts connections and says nothing is no database that works."""


def located(subject: Subject) -> Backend | None:
    """Where the database is; C{None} where nothing says it, or nothing that can be understood."""
    from ..store.backend import locate

    if not subject.database_url:
        return None
    try:
        return locate(subject.database_url, 1)
    except ConfigError:
        return None


def look_at_database(subject: Subject) -> DatabaseFacts:
    """Whether it answers, and what is in it."""
    from ..store.backend import locate
    from ..store.schema import HEAD

    if not subject.database_url:
        return DatabaseFacts("")
    try:
        location = locate(subject.database_url, 1)
    except ConfigError as error:
        return DatabaseFacts("the database", error="; ".join(error.problems))
    file = None if location.path is None else _file(location.path)
    pool = subject.storage.pool_size if subject.storage is not None else 0
    wanted = 0 if location.is_sqlite else subject.workers * (pool + 1)
    facts = DatabaseFacts(location.label, needs=HEAD, wanted=wanted, file=file)
    if not location.is_shared or (file is not None and not file.exists):
        return facts
    (found,) = at_once([lambda: _asked(location, facts)], ANSWERS_WITHIN)
    if isinstance(found, Late):
        return evolve(facts, error=f"it has not answered within {ANSWERS_WITHIN:g} s")
    if isinstance(found, Exception):
        raise found
    return found


def _asked(location: Backend, facts: DatabaseFacts) -> DatabaseFacts:
    from ..store.database import FAULTS, reason_of

    engine = location.engine()
    try:
        with engine.connect() as connection:
            return _schema(connection, location, facts)
    except ConfigError as error:
        return evolve(facts, error="; ".join(error.problems))
    except FAULTS as error:
        return evolve(facts, error=reason_of(error))
    finally:
        engine.dispose()


def _schema(connection: Connection, location: Backend, facts: DatabaseFacts) -> DatabaseFacts:
    from sqlalchemy import inspect, text

    from ..store.migrate import is_later, revision_of, works_on

    connection.execute(text("SELECT 1"))
    began = time.monotonic()
    connection.execute(text("SELECT 1"))
    took = time.monotonic() - began
    revision = revision_of(connection)
    query = _MOST.get(location.url.get_backend_name())
    most = connection.scalar(text(query)) if query else None
    return evolve(
        facts,
        answered_in=took,
        revision=revision,
        works=revision is not None and works_on(connection, revision),
        is_later=is_later(revision),
        foreign=revision is None and inspect(connection).has_table("projects"),
        most_connections=None if most is None else int(most),
    )


def _file(path: str) -> FileFacts:
    absolute = os.path.abspath(path)
    directory = nearest(os.path.dirname(absolute))
    exists = os.path.exists(path)
    free, _ = room_of(directory)
    return FileFacts(
        path=path,
        exists=exists,
        mode=mode_of(path),
        directory_mode=mode_of(directory),
        writable=os.access(path, os.W_OK) if exists else can_be_made(absolute),
        free=free,
        size=_size(path),
        log=_size(f"{path}-wal"),
        kind=kind_of(directory),
    )


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def nearest(path: str) -> str:
    """A directory, or the first one above it that is there."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def can_be_made(path: str) -> bool:
    """Whether this user can make a file or a directory: none of those above it is a file, and the nearest is open."""
    there = nearest(os.path.dirname(path))
    below = os.path.relpath(path, there).split(os.sep)[0]
    return os.access(there, os.W_OK | os.X_OK) and not os.path.lexists(os.path.join(there, below))


def room_of(path: str) -> tuple[int | None, float | None]:
    """Bytes that a user may still write on a file system, and the share of files that can be made there."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_favail / found.f_files if found.f_files else None


def kind_of(path: str, mounts: str = "/proc/mounts") -> str:
    """The kind of the file system of a path; C{""} if that cannot be seen."""
    best, kind = "", ""
    try:
        with open(mounts, encoding="utf-8", errors="replace") as file:
            for line in file:
                _, where, found, *_ = line.split(" ")
                where = where.replace("\\040", " ")
                inside = path == where or path.startswith(where.rstrip("/") + "/")
                if inside and len(where) >= len(best):
                    best, kind = where, found
    except (OSError, ValueError):
        return ""
    return kind


def clock_of_database(subject: Subject, now: Callable[[], float] = time.time) -> SkewFacts | None:
    """The clock of a database server; C{None} for SQLite, which has ours, and for one that does not answer."""
    location = located(subject)
    query = None if location is None else _NOW.get(location.url.get_backend_name())
    if location is None or query is None:
        return None
    from sqlalchemy import text

    from ..store.database import FAULTS

    engine = location.engine()
    try:
        with engine.connect() as connection:
            before = now()
            theirs = float(connection.scalar(text(query)) or 0)
            return SkewFacts(location.label, theirs - (before + now()) / 2)
    except FAULTS:
        return None
    finally:
        engine.dispose()


def newest_record(subject: Subject, now: Callable[[], float] = time.time) -> float | None:
    """Seconds since the newest record of an exchange; C{None} if there is none, or that cannot be asked."""
    location = located(subject)
    if location is None or not location.is_shared or (location.path and not os.path.exists(location.path)):
        return None
    from sqlalchemy import inspect, text

    from ..store.database import FAULTS

    engine = location.engine()
    with suppress(*FAULTS):
        try:
            with engine.connect() as connection:
                if not inspect(connection).has_table("usage_records"):
                    return None
                newest = connection.scalar(text("SELECT MAX(ended_at) FROM usage_records"))
                return None if newest is None else now() - newest / 1_000_000
        finally:
            engine.dispose()
    return None
