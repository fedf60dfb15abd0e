"""Key rotation: the key that a database is encrypted with, and its change while the database is in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import Table, and_, func, select, tuple_
from sqlalchemy.engine import Connection, Engine

from ..errors import ConfigError
from .projectkeys import place, place_of
from .schema import project_keys, projects, settings
from .secrets import ID_SIZE, V2, KeyRing, Undecipherable, form_of

_CHECK = "encryption_key_check"
_BATCH = 100


def verify_keys(connection: Connection, keys: KeyRing) -> None:
    """
    Make sure that C{keys} open what is in this database; the first key that comes is noted.

    @raise ConfigError: they do not, or something is not encrypted that has to be.
    """
    noted = _noted(connection)
    if noted is not None:
        _compare(keys, noted)
    elif keys.current is not None:
        connection.execute(settings.insert().values(name=_CHECK, value=keys.seal(_CHECK, _CHECK)))
    _find_missing(connection, keys)


@frozen(eq=False)
class _Kept:
    """
    A table that upstream keys are kept in, as C{api_key}.

    @ivar place: what the ciphertext of a row is bound to.
    @ivar project: the id of the project that a row belongs to.
    """

    table: Table
    place: Callable[[Any], str]
    project: Callable[[Any], str]

    @property
    def identity(self) -> tuple[Any, ...]:
        return tuple(self.table.primary_key.columns)


_KEPT = (
    _Kept(projects, lambda row: place(row.id), lambda row: row.id),
    _Kept(project_keys, place_of, lambda row: row.project_id),
)


def survey(connection: Connection) -> Counter[str]:
    """How many upstream keys are kept in which form; see L{form_of}."""
    found: Counter[str] = Counter()
    for kept in _KEPT:
        column = kept.table.c.api_key
        start = func.substr(column, 1, len(V2) + ID_SIZE + 1)
        for beginning, count in connection.execute(select(start, func.count()).where(column != "").group_by(start)):
            found[form_of(beginning)] += count
    return found


@define
class Resealing:
    """
    What was done.

    @ivar sealed: how many are encrypted with the current key now.
    @ivar failed: the ids of the projects whose key no configured key opens.
    @ivar overtaken: how many somebody else changed at that moment; a second run finds how.
    """

    sealed: int = 0
    overtaken: int = 0
    failed: list[str] = field(factory=list)


def reseal(
    engine: Engine,
    keys: KeyRing,
    concerns: Callable[[str], bool],
    advance: Callable[[int], object] = lambda steps: None,
) -> Resealing:
    """
    Encrypt with the current key what is kept otherwise, a hundred at a time, while the proxy runs.

    A key that is changed meanwhile stays as it was changed to.

    @param concerns: which forms, see L{form_of}; what is encrypted with the current key never does.
    @param advance: called with how many were looked at.
    """
    done = Resealing()
    writing = engine.execution_options(llmproxy_writes=True)
    for kept in _KEPT:
        last: tuple[Any, ...] | None = None
        while True:
            with writing.begin() as connection:
                rows = _batch(connection, kept, last)
                for row in rows:
                    _reseal_one(connection, keys, concerns, kept, row, done)
            if not rows:
                break
            last = tuple(rows[-1])[: len(kept.identity)]
            advance(len(rows))
    if not done.failed:
        with writing.begin() as connection:
            _note_again(connection, keys)
    return done


def _batch(connection: Connection, kept: _Kept, last: tuple[Any, ...] | None) -> Sequence[Any]:
    """The rows behind C{last}: their identity, and the key."""
    query = select(*kept.identity, kept.table.c.api_key).order_by(*kept.identity).limit(_BATCH)
    if last is not None:
        query = query.where(tuple_(*kept.identity) > last)
    return connection.execute(query).all()


def _reseal_one(
    connection: Connection, keys: KeyRing, concerns: Callable[[str], bool], kept: _Kept, row: Any, done: Resealing
) -> None:
    stored = row.api_key
    form = form_of(stored)
    if not stored or form == keys.current or not concerns(form):
        return
    try:
        sealed = keys.seal(keys.open(stored, kept.place(row)), kept.place(row))
    except Undecipherable:
        if kept.project(row) not in done.failed:
            done.failed.append(kept.project(row))
        return
    same = [column == value for column, value in zip(kept.identity, row, strict=False)]
    unchanged = and_(*same, kept.table.c.api_key == stored)
    if connection.execute(kept.table.update().where(unchanged).values(api_key=sealed)).rowcount:
        done.sealed += 1
    else:
        done.overtaken += 1


def _note_again(connection: Connection, keys: KeyRing) -> None:
    others = set(survey(connection)) - {keys.current}
    if keys.current is not None and not others:
        connection.execute(settings.delete().where(settings.c.name == _CHECK))
        connection.execute(settings.insert().values(name=_CHECK, value=keys.seal(_CHECK, _CHECK)))


def _noted(connection: Connection) -> str | None:
    noted: str | None = connection.scalar(select(settings.c.value).where(settings.c.name == _CHECK))
    return noted


def _compare(keys: KeyRing, noted: str) -> None:
    if keys.current is None:
        raise ConfigError(
            "its upstream keys are encrypted, and ENCRYPTION_KEY is not set: "
            "set it, or name the file of variables that holds it with --env"
        )
    try:
        keys.open(noted, _CHECK)
    except Undecipherable:
        came = f" from {keys.source}" if keys.source else ""
        raise ConfigError(
            f"ENCRYPTION_KEY{came} is not the key that this database is encrypted with "
            f"(its id is {keys.current}, the database's is {form_of(noted)})"
        ) from None


def _find_missing(connection: Connection, keys: KeyRing) -> None:
    forms = survey(connection)
    missing = sorted(set(forms) - {"plain", "v1"} - {cipher.id for cipher in keys})
    if missing:
        raise ConfigError(
            f"upstream keys in it are encrypted with a key that is not configured (id {', '.join(missing)}): "
            "name it in ENCRYPTION_KEY_OLD"
        )
    if keys.required and forms["plain"]:
        raise ConfigError(
            f"{forms['plain']} upstream keys in it are not encrypted, and REQUIRE_ENCRYPTION_KEY is set: "
            "run llmproxy encryption migrate"
        )
