"""C{llmproxy db import-go}."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict

from ..config.databases import Storage, database_url
from ..config.dotenv import with_dotenv
from ..config.environment import read_storage
from ..errors import ConfigError
from .faults import Fault
from .output import Output, Progress
from .prices_source import PriceSource
from .secretinput import MAX_SECRET
from .storage import OPTIONS, check_revision, faults_of, located, reading, storage_of, warn_of_password, writing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..store.backend import Backend
    from ..store.importing import Outcome
    from ..store.importsource import GoSource
    from ..store.secrets import Cipher

_NAMES = ("DATABASE_URL", "DATABASE_URL_FILE", "ENCRYPTION_KEY", "ENCRYPTION_KEY_FILE")
_PREFIX = "IMPORT_"


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give it those of all commands on the database, and call it with C{env} too."""

    @functools.wraps(command)
    def asking(database: str | None, env: str | None, as_json: bool, **options: Any) -> Any:
        warn_of_password("--database", database)
        return command(storage=storage_of(database, env), env=env, output=Output(as_json), **options)

    for option in reversed(OPTIONS):
        asking = option(asking)
    return asking


@click.command("import-go")
@click.argument("source", metavar="[PATH|URL]", required=False)
@click.option("--api", metavar="NAME", help="The API that all keys are for; else the shape of each says it.")
@click.option("--config", "-c", metavar="FILE", help="The YAML file of the APIs. [API_CONFIG_PATH]")
@click.option("--yes", is_flag=True, help="Write; without it only what would be done is shown.")
@_options
def import_go(
    storage: Storage,
    env: str | None,
    output: Output,
    source: str | None,
    api: str | None,
    config: str | None,
    yes: bool,
) -> None:
    """Move what llm-proxy (the Go program) has in its database: its tokens go on working.

    Projects with their upstream keys, tokens with their counts, and audit records; of its SQLite, PostgreSQL
    or MySQL, which is only read. Without PATH or URL it is IMPORT_DATABASE_URL (or _FILE). Its keys are opened
    with IMPORT_ENCRYPTION_KEY (or _FILE), else ENCRYPTION_KEY, and encrypted anew with ENCRYPTION_KEY.

    Nothing is written without --yes. What is there already stays as it is, so it can be run again; what cannot be
    moved is listed with the reason, the rest is moved, and the exit status is 1.

    \b
    Examples:
      llmproxy db import-go old/llm-proxy.db --database sqlite:///data/llmproxy.db
      llmproxy db import-go old/llm-proxy.db --database sqlite:///data/llmproxy.db --yes
      IMPORT_DATABASE_URL_FILE=old.url IMPORT_ENCRYPTION_KEY_FILE=old.key llmproxy db import-go --env .env --yes
    """
    found = _import_storage(source, env)
    origin, target = _source_location(found.database_url), located(storage.database_url)
    _not_the_same(origin, target)
    api_for = _api_for(api, PriceSource(config, env))
    key = found.encryption_key or storage.encryption_key
    with _reading(origin) as read:
        outcome = _move(read, origin, target, storage, key, api_for, yes)
    tell(output, origin.label, target, outcome, yes)


def _import_storage(source: str | None, dotenv: str | None) -> Storage:
    """Where the source is, and its key, from the variables whose names begin with C{IMPORT_}."""
    try:
        known = with_dotenv(os.environ, dotenv)
        env = {name: known.get(_PREFIX + name, "") for name in _NAMES}
        if source is not None:
            warn_of_password("PATH|URL", source)
            env |= {"DATABASE_URL": _url(source), "DATABASE_URL_FILE": ""}
        elif not env["DATABASE_URL"] and not env["DATABASE_URL_FILE"]:
            raise click.UsageError("PATH, URL or IMPORT_DATABASE_URL is needed")
        return read_storage(env, _read)
    except ConfigError as error:
        raise Fault("; ".join(_PREFIX + problem for problem in error.problems)) from None


def _url(source: str) -> str:
    if "://" in source or "@tcp(" in source:
        try:
            return database_url(source)[0]
        except ValueError as error:
            raise click.UsageError(f"PATH|URL: {error}") from None
    return f"sqlite:///{source}"


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read(MAX_SECRET)


def _source_location(url: str) -> Backend:
    location = located(url)
    if location.is_sqlite and location.path is None:
        raise click.UsageError("PATH|URL: a database in memory has nothing to move")
    if location.path is not None and not os.path.isfile(location.path):
        raise Fault(f"{location.label}: there is no such file")
    return location


def _not_the_same(origin: Backend, target: Backend) -> None:
    if target.is_sqlite and target.path is None:
        raise click.UsageError("--database: what is moved into memory is gone when this command ends")
    same_file = (
        origin.path is not None
        and target.path is not None
        and os.path.exists(target.path)
        and os.path.samefile(origin.path, target.path)
    )
    if same_file or (origin.path is None and origin.url == target.url):
        words = "it is the database that llmproxy would use: name another one for it with --database"
        raise click.UsageError(f"{origin.label}: {words} (or DATABASE_URL, DATABASE_PATH)")


def _api_for(api: str | None, configured: PriceSource) -> Callable[[str], str | None]:
    from ..providers.registry import Binding

    config = configured.config
    if api is not None:
        if config is not None and api not in config.apis:
            raise click.UsageError(f"--api: there is no API {api!r} (known: {', '.join(sorted(config.apis))})")
        return lambda key: api
    if config is None:
        return lambda key: None
    table = config.routing_table()
    pairs = tuple((each.name, one.provider) for each in table.apis for one in each.upstreams)
    return Binding(config.default_api, pairs).api_for


@contextmanager
def _reading(location: Backend) -> Iterator[GoSource]:
    from ..store.importsource import GoSource, source_engine

    engine = source_engine(location)
    try:
        with faults_of(location):
            connection = engine.connect()
        try:
            with faults_of(location):
                source = GoSource(connection)
            yield source
        finally:
            connection.close()
    finally:
        engine.dispose()


@contextmanager
def opened_target(target: Backend, writes: bool) -> Iterator[Connection | None]:
    """Ours; C{None} where nothing is there, and nothing is to be."""
    from sqlalchemy import inspect

    from ..store.migrate import FOREIGN, migrate, revision_of

    if not writes and target.path is not None and not os.path.exists(target.path):
        yield None
        return
    if writes:
        try:
            target.make_file()
        except OSError as error:
            raise Fault(f"{target.label}: cannot open: {error.strerror or error}") from None
    with writing(target) if writes else reading(target) as connection:
        if revision_of(connection) is None:
            if inspect(connection).has_table("projects"):
                raise ConfigError(FOREIGN)
            if not writes:
                yield None
                return
            migrate(connection)
        check_revision(target, connection)
        yield connection


def _move(
    source: GoSource,
    origin: Backend,
    target: Backend,
    storage: Storage,
    key: bytes | None,
    api_for: Callable[[str], str | None],
    writes: bool,
) -> Outcome:
    from ..sinks.audit import Notes
    from ..store.importing import Import, WrongKey
    from ..store.keyrotation import verify_keys
    from ..store.secrets import KeyRing

    keys = KeyRing.of(storage.encryption_key, storage.old_encryption_keys, required=storage.require_encryption)
    clock: Any = Now()
    notes = Notes(clock)
    total = sum(source.counts.values())
    with opened_target(target, writes) as connection, Progress("moving rows", total) as advance:
        if connection is not None and writes:
            verify_keys(connection, keys)
        moving = Import(
            _Labelled(origin, source),
            connection,
            cipher=_cipher(key),
            keys=keys,
            api_for=api_for,
            now=clock.seconds(),
            writes=writes,
            advance=advance,
        )
        try:
            return moving.run(
                lambda heads: notes.own("audit.open", heads=heads),
                lambda outcome: notes.own("database.import", source=origin.label, moved=moved_rows(outcome)),
            )
        except WrongKey as error:
            raise Fault(f"{origin.label}: {error}") from None


def _cipher(key: bytes | None) -> Cipher | None:
    from ..store.secrets import Cipher

    return None if key is None else Cipher(key)


def moved_rows(outcome: Outcome) -> dict[str, int]:
    return {name: tally.moved for name, tally in outcome.tables.items()}


class _Labelled:
    """Has the faults of a source be said of it, and not of the database that is written meanwhile."""

    def __init__(self, origin: Backend, source: GoSource) -> None:
        self._origin = origin
        self._source = source

    def rows(self, table: str) -> Iterator[Sequence[Mapping[str, Any]]]:
        with faults_of(self._origin):
            yield from self._source.rows(table)


class Now:
    def seconds(self) -> float:
        return time.time()


def tell(output: Output, source: str, target: Backend, outcome: Outcome, written: bool) -> None:
    value: dict[str, Any] = {"source": source, "target": target.label, "written": written}
    value |= {name: asdict(tally) for name, tally in outcome.tables.items()}
    value |= {
        "problems": list(map(asdict, outcome.problems)),
        "notes": list(map(asdict, outcome.notes)),
    }
    moved = "Moved" if written else "To be moved"
    rows = [(name, each.found, each.moved, each.there, each.left_out) for name, each in outcome.tables.items()]
    columns = (f"Of {source}", "Found", moved, "There already", "Left out")
    output.table(value, columns, rows, numbers=(1, 2, 3, 4))
    if not output.as_json:
        for each in (*outcome.problems, *outcome.notes):
            output.say(f"{each.table} {each.id}: {each.reason}")
        if outcome.left_out > len(outcome.problems):
            output.say(f"and {outcome.left_out - len(outcome.problems)} more that were left out")
        if not written:
            output.say(f"Nothing was written: with --yes it is moved into {target.label}.")
    if outcome.left_out:
        raise Fault(f"{outcome.left_out} rows {'were' if written else 'would be'} left out")
