"""With which key a database is encrypted, and changing that while it is in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import define, field
from sqlalchemy import func, select
from sqlalchemy.engine import Connection, Engine

from ..errors import ConfigError
from .projects import place
from .schema import projects, settings
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


def survey(connection: Connection) -> Counter[str]:
    """How many upstream keys are kept in which form; see L{form_of}."""
    start = func.substr(projects.c.api_key, 1, len(V2) + ID_SIZE + 1)
    query = select(start, func.count()).where(projects.c.api_key != "").group_by(start)
    found: Counter[str] = Counter()
    for beginning, count in connection.execute(query):
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
    done, last = Resealing(), ""
    writing = engine.execution_options(llmproxy_writes=True)
    while True:
        with writing.begin() as connection:
            query = select(projects.c.id, projects.c.api_key).where(projects.c.id > last).order_by(projects.c.id)
            rows = connection.execute(query.limit(_BATCH)).all()
            for row in rows:
                _reseal_one(connection, keys, concerns, row.id, row.api_key, done)
        if not rows:
            break
        last = rows[-1].id
        advance(len(rows))
    if not done.failed:
        with writing.begin() as connection:
            _note_again(connection, keys)
    return done


def _reseal_one(
    connection: Connection,
    keys: KeyRing,
    concerns: Callable[[str], bool],
    project_id: str,
    stored: str,
    done: Resealing,
) -> None:
    form = form_of(stored)
    if not stored or form == keys.current or not concerns(form):
        return
    try:
        sealed = keys.seal(keys.open(stored, place(project_id)), place(project_id))
    except Undecipherable:
        done.failed.append(project_id)
        return
    unchanged = (projects.c.id == project_id) & (projects.c.api_key == stored)
    if connection.execute(projects.update().where(unchanged).values(api_key=sealed)).rowcount:
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
        raise ConfigError("its upstream keys are encrypted, and ENCRYPTION_KEY is not set")
    try:
        keys.open(noted, _CHECK)
    except Undecipherable:
        raise ConfigError("ENCRYPTION_KEY is not the key that this database is encrypted with") from None


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
