"""C{llmproxy db}."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from ..config.databases import Storage
from ..errors import ConfigError
from .db_downgrade import downgrade
from .db_import import import_go
from .db_import_litellm import import_litellm
from .faults import Conflicting, Fault, NotThere
from .output import Output, Progress
from .storage import located, reading, storage_of, storage_options, warn_of_password, writing

if TYPE_CHECKING:
    from ..store.backend import Backend
    from ..store.migration import Source

_force = click.option("--force", is_flag=True, help="Replace what is there.")


@click.group()
def command() -> None:
    """The database: its schema, backups, and moving it to another kind.

    Without --database it is the one that DATABASE_URL (or DATABASE_URL_FILE) or DATABASE_PATH names.

    \b
    Examples:
      llmproxy db current
      llmproxy db backup before-upgrade.db
      TARGET_DATABASE_URL_FILE=pg.url llmproxy db copy
    """


@command.command()
@storage_options
def upgrade(storage: Storage, output: Output) -> None:
    """Bring the schema up to date. A proxy that starts does it too.

    \b
    Examples:
      llmproxy db upgrade --env .env
      llmproxy db upgrade --database postgresql://db.example/llmproxy
    """
    from ..store.migrate import migrate, revision_of

    location = located(storage.database_url)
    _make_file(location)
    with writing(location) as connection:
        before = revision_of(connection)
        migrate(connection)
        after = revision_of(connection)
    value = {"database": location.label, "before": before, "revision": after}
    words = f"is at revision {after} already" if before == after else f"upgraded from {before or 'nothing'} to {after}"
    output.say(f"{location.label}: {words}.", value)


@command.command()
@storage_options
def current(storage: Storage, output: Output) -> None:
    """Show which revision the schema has, and what is in the tables. Changes nothing.

    \b
    Examples:
      llmproxy db current
      llmproxy db current --env .env
    """
    from ..store.migrate import works_on
    from ..store.migration import DatabaseSource
    from ..store.schema import HEAD

    location = located(storage.database_url)
    with reading(location) as connection:
        source = DatabaseSource(connection)
        works = works_on(connection, source.revision)
    value = {"database": location.label, "revision": source.revision, "needs": HEAD, "rows": source.counts}
    state = _state(source.revision, works)
    pairs = [("Database", location.label), ("Revision", f"{source.revision}, {state}")]
    output.fields(value, pairs + [(name, f"{count} rows") for name, count in source.counts.items()])


@command.command()
@click.argument("path")
@click.option("--portable", is_flag=True, help="Of SQLite too, in the form that every kind can be restored from.")
@_force
@storage_options
def backup(storage: Storage, output: Output, path: str, portable: bool, force: bool) -> None:
    """Write everything to the file PATH, as it is at one moment, while the proxy runs.

    Of SQLite it is a database file; of PostgreSQL and MySQL, and with --portable, compressed JSON.
    Only its owner can read it. Upstream keys are in it as they are stored, so anybody with the
    encryption key can read them: keep the two apart, and keep the key.

    \b
    Examples:
      llmproxy db backup /backup/llmproxy-$(date +%F).db
      DATABASE_URL_FILE=pg.url llmproxy db backup /backup/llmproxy.jsonl.gz
    """
    from ..store.backup import new_file

    location = located(storage.database_url)
    try:
        with new_file(path, force) as partial:
            if location.path is not None and not portable:
                _copy_file(location, partial)
            else:
                _dump(location, partial)
        size = os.path.getsize(path)
    except FileExistsError:
        raise Conflicting(f"{path}: is there already; --force replaces it") from None
    except OSError as error:
        raise Fault(f"{path}: {error.strerror or error}") from None
    output.say(f"{location.label}: written to {path}, {size} bytes.", {"path": path, "bytes": size})


@command.command()
@click.argument("path")
@_force
@storage_options
def restore(storage: Storage, output: Output, path: str, force: bool) -> None:
    """Put everything that the backup PATH holds into the database, of whatever kind either is.

    Stop the proxies first. All of it arrives, or nothing does; a backup of an earlier release is upgraded.
    A database that is not empty is left alone without --force.

    \b
    Examples:
      llmproxy db restore --database sqlite:///data/llm-proxy.db before-upgrade.db
      DATABASE_URL_FILE=mysql.url llmproxy db restore llmproxy.jsonl.gz
    """
    location = located(storage.database_url)
    with _opened(path) as source:
        arrived = _load(location, source, force)
    _tell(output, location, arrived)


@command.command()
@click.option("--to", "target", metavar="URL", help="Where to. [TARGET_DATABASE_URL, TARGET_DATABASE_URL_FILE]")
@_force
@storage_options
def copy(storage: Storage, output: Output, target: str | None, force: bool) -> None:
    """Put everything that is in the database into another one, of whatever kind either is.

    What is copied is one moment of the source, which changes nothing there. Stop the proxies first, or what
    they write afterwards is missing. All of it arrives, or nothing does. A target that is not empty is
    left alone without --force.

    \b
    Example:
      DATABASE_PATH=data/llm-proxy.db TARGET_DATABASE_URL_FILE=pg.url llmproxy db copy
    """
    from ..store.migration import DatabaseSource

    source, location = located(storage.database_url), located(_target(target))
    if source.url == location.url:
        raise click.UsageError("--to: it is the same database")
    with reading(source) as connection:
        arrived = _load(location, DatabaseSource(connection), force)
    _tell(output, location, arrived)


command.add_command(downgrade)
command.add_command(import_go)
command.add_command(import_litellm)


def _state(revision: str, works: bool) -> str:
    from ..store.migrate import is_later
    from ..store.schema import HEAD

    if revision == HEAD:
        return "up to date"
    if is_later(revision):
        return f"of a later release, which {'lets this one' if works else 'this one cannot'} work on it"
    return f"this program needs {HEAD}: run llmproxy db upgrade"


def _target(option: str | None) -> str:
    if option:
        warn_of_password("--to", option)
        return option
    prefix = "TARGET_"
    found = {name: os.environ.get(prefix + name, "") for name in ("DATABASE_URL", "DATABASE_URL_FILE")}
    if not any(found.values()):
        raise click.UsageError("--to or TARGET_DATABASE_URL is needed")
    return storage_of(None, None, found).database_url


def _make_file(location: Backend) -> None:
    try:
        location.make_file()
    except OSError as error:
        raise Fault(f"{location.label}: cannot open: {error.strerror or error}") from None


def _copy_file(location: Backend, partial: str) -> None:
    from ..store.backup import copy_sqlite
    from ..store.migrate import revision_of

    assert location.path is not None
    with reading(location) as connection:
        if revision_of(connection) is None:
            raise Fault(f"{location.label}: it has no tables of llmproxy")
    done = 0
    with Progress("copying pages") as advance:

        def progress(copied: int, total: int) -> None:
            nonlocal done
            advance(copied - done)
            done = copied

        copy_sqlite(location.path, partial, progress)


def _dump(location: Backend, partial: str) -> None:
    from ..store.export import write_dump
    from ..store.migration import DatabaseSource

    made_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with reading(location) as connection, open(partial, "r+b") as file:
        source = DatabaseSource(connection)
        with Progress("writing rows", sum(source.counts.values())) as advance:
            write_dump(source, file, made_at, advance)


@contextmanager
def _opened(path: str) -> Iterator[Source]:
    """What a backup holds, whatever its form."""
    from ..store.backup import MAGIC
    from ..store.export import DumpSource
    from ..store.migration import DatabaseSource

    try:
        with open(path, "rb") as file:
            is_sqlite = file.read(len(MAGIC)) == MAGIC
            file.seek(0)
            if not is_sqlite:
                yield _source(lambda: DumpSource(file, path))
                return
    except FileNotFoundError:
        raise NotThere(f"{path}: there is no such file") from None
    except OSError as error:
        raise Fault(f"{path}: cannot be read: {error.strerror or error}") from None
    with reading(located(path)) as connection:
        yield DatabaseSource(connection)


def _source(make: Callable[[], Source]) -> Source:
    try:
        return make()
    except ConfigError as error:
        raise Fault(str(error)) from None


def _load(location: Backend, source: Source, force: bool) -> dict[str, int]:
    from ..store.migration import NotEmpty, load

    _make_file(location)
    try:
        with writing(location) as connection, Progress("putting rows", sum(source.counts.values())) as advance:
            return load(connection, source, force=force, advance=advance)
    except NotEmpty:
        raise Conflicting(f"{location.label}: is not empty; --force deletes what is there") from None


def _tell(output: Output, location: Backend, arrived: dict[str, int]) -> None:
    from ..store.migration import BOOKKEEPING

    words = ", ".join(f"{count} {name}" for name, count in arrived.items() if count and name not in BOOKKEEPING)
    output.say(f"{location.label}: {words or 'nothing'}: all of it arrived.", arrived)
