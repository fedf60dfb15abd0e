"""
The keys of projects at rest, by API.

They stand in two places. C{projects.api_key} is where earlier releases have a project's one key, and look for it: it
holds the first key of the API that C{projects.api_key_for} names. C{project_keys} holds all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection
from twisted.logger import Logger

from ..providers.registry import Binding, provider_of_key
from .schema import project_keys, projects
from .secrets import KeyRing, Undecipherable

Keys = Mapping[str, Sequence[str]]
"""The keys for each API, in their order, none without one."""

Change = Mapping[str, Sequence[str] | None]
"""Keys that take the place of those for an API; C{None} for none. Those for APIs that are not named stay."""


class ProjectKeys:
    """
    A key that cannot be decrypted (the row was tampered with) is C{""}, and the log says whose it is: the others are
    not to suffer.

    @param binding: whose the keys are of which nobody said so; without it they stay nobody's.
    """

    _log = Logger()

    def __init__(self, keys: KeyRing, binding: Binding | None) -> None:
        self._keys = keys
        self._binding = binding
        self._default = "" if binding is None else binding.default_api

    def columns(self, project_id: str, keys: Keys) -> dict[str, str]:
        """What a new row of C{projects} says of its keys."""
        first = keys.get(self._default, ("",))[0]
        return {"api_key": self._keys.seal(first, place(project_id)), "api_key_for": self._default}

    def insert(self, connection: Connection, project_id: str, keys: Keys) -> None:
        """Put the keys of a new project that are not in its row."""
        for api, texts in keys.items():
            self._put(connection, project_id, api, texts, self._default)

    def change(self, connection: Connection, project_id: str, change: Change) -> None:
        """
        @param connection: it has changed the project's row in this transaction: nobody else changes its keys meanwhile.
        """
        for api, texts in change.items():
            held = self._slot(connection, project_id, api)
            mine = (project_keys.c.project_id == project_id) & (project_keys.c.api == api)
            connection.execute(delete(project_keys).where(mine))
            if held == api:
                first = self._keys.seal(texts[0] if texts else "", place(project_id))
                values = {"api_key": first, "api_key_for": api}
                connection.execute(projects.update().where(projects.c.id == project_id).values(values))
            self._put(connection, project_id, api, texts or (), held)

    def read(self, connection: Connection, rows: Sequence[Any]) -> dict[str, dict[str, tuple[str, ...]]]:
        """The keys of some rows of C{projects}, by the id of the project."""
        return self._opened(rows, _others(connection, [row.id for row in rows]))

    def read_one(self, connection: Connection, project_id: str) -> tuple[Any, dict[str, tuple[str, ...]]] | None:
        """The row of a project and its keys, in one statement; C{None} where there is none."""
        others = [project_keys.c[name].label(f"other_{name}") for name in _OTHER]
        joined = projects.outerjoin(project_keys, project_keys.c.project_id == projects.c.id)
        query = select(projects, *others).select_from(joined).where(projects.c.id == project_id)
        rows = connection.execute(query.order_by(project_keys.c.api, project_keys.c.position)).all()
        if not rows:
            return None
        keys = [_Other(*row[-len(others) :]) for row in rows if row[-1] is not None]
        return rows[0], self._opened(rows[:1], keys)[project_id]

    def _opened(self, rows: Sequence[Any], others: Iterable[Any]) -> dict[str, dict[str, tuple[str, ...]]]:
        """@param others: rows of C{project_keys}."""
        found: dict[str, dict[str, tuple[str, ...]]] = {row.id: {} for row in rows}
        for row in rows:
            if row.api_key_for and row.api_key:
                found[row.id][row.api_key_for] = (self._open(row.api_key, row.id, place(row.id)),)
        for each in others:
            mine, text = found[each.project_id], self._open(each.api_key, each.project_id, place_of(each))
            mine[each.api] = (*mine.get(each.api, ()), text)
        return found

    def bind(self, connection: Connection) -> list[str]:
        """
        Say of the keys of which nobody has said it yet which API they are for; the ids of their projects.

        It is done once for each: what is said stays, whatever the configuration says later.
        """
        if self._binding is None:
            return []
        columns = (projects.c.id, projects.c.name, projects.c.api_key)
        rows = connection.execute(select(*columns).where(projects.c.api_key_for.is_(None))).all()
        bound: list[str] = []
        # A statement or two for many: a database can have a hundred thousand.
        for start in range(0, len(rows), _MOST_IDS):
            bound += self._bind(connection, rows[start : start + _MOST_IDS], self._binding)
        return bound

    def _bind(self, connection: Connection, rows: Sequence[Any], binding: Binding) -> list[str]:
        wanted = project_keys.c.project_id.in_([row.id for row in rows])
        taken = {(each.project_id, each.api) for each in connection.execute(select(*_TAKEN).where(wanted))}
        by_api: dict[str, list[str]] = {}
        for row in rows:
            try:
                key = self._keys.open(row.api_key, place(row.id))
            except Undecipherable:
                # Said when it is read; whose it is can be seen when it opens again.
                continue
            api = binding.api_for(key)
            if key and not api:
                self._log.warn(
                    "project {name} ({project}): its key looks like one of {provider}, and no API leads there, so that "
                    "it is sent to none. If it is for {api}, type: llmproxy project set-key {project} {api}",
                    name=repr(row.name),
                    project=row.id,
                    provider=provider_of_key(key),
                    api=binding.default_api,
                )
            # Somebody may have said since which keys this API gets.
            by_api.setdefault("" if (row.id, api) in taken else api, []).append(row.id)
        for api, ids in by_api.items():
            unbound = projects.c.id.in_(ids) & projects.c.api_key_for.is_(None)
            connection.execute(projects.update().where(unbound).values(api_key_for=api))
        return [each for ids in by_api.values() for each in ids]

    def _slot(self, connection: Connection, project_id: str, api: str) -> str | None:
        """The API that the key in the row itself is for; one that is for none makes room for the default API's."""
        held: str | None = connection.scalar(select(projects.c.api_key_for).where(projects.c.id == project_id))
        return api if not held and api == self._default else held

    def _put(self, connection: Connection, project_id: str, api: str, texts: Sequence[str], held: str | None) -> None:
        sealed = [self._keys.seal(text, _place(project_id, api)) for text in texts]
        rows = [
            {"project_id": project_id, "api": api, "position": position, "api_key": text}
            for position, text in enumerate(sealed)
            if position or api != held
        ]
        if rows:
            connection.execute(project_keys.insert(), rows)

    def _open(self, stored: str, project_id: str, place: str) -> str:
        try:
            return self._keys.open(stored, place)
        except Undecipherable as error:
            self._log.error("an upstream key of project {project}: {reason}", project=project_id, reason=str(error))
            return ""


def place(project_id: str) -> str:
    """Where the key in a project's own row stands: what its ciphertext is bound to."""
    return f"projects/{project_id}/api_key"


def place_of(row: Any) -> str:
    """The same of a row of C{project_keys}: no key is moved to another project or another API."""
    return _place(row.project_id, row.api)


def _place(project_id: str, api: str) -> str:
    return f"projects/{project_id}/api_keys/{api}"


_MOST_IDS = 500
_TAKEN = (project_keys.c.project_id, project_keys.c.api)
_OTHER = ("project_id", "api", "position", "api_key")


class _Other(NamedTuple):
    """A row of C{project_keys}."""

    project_id: str
    api: str
    position: int
    api_key: str


def _others(connection: Connection, ids: Sequence[str]) -> Iterator[Any]:
    order = (project_keys.c.project_id, project_keys.c.api, project_keys.c.position)
    for start in range(0, len(ids), _MOST_IDS):
        wanted = project_keys.c.project_id.in_(ids[start : start + _MOST_IDS])
        yield from connection.execute(select(project_keys).where(wanted).order_by(*order))
