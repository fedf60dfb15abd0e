"""Data of a person beside their row: given out as a whole, and taken away."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from ..core.people.person import Person
from ..core.rollups import OTHER
from .schema import audit_events, devices, ended_tokens, people, sessions, tokens, usage_records, usage_series

MOST_AUDITED = 1000

_TOKEN = ("id", "name", "project_id", "kind", "created_at", "expires_at", "is_active", "deactivated_at", "last_used_at")
_TOKEN_COUNTS = ("request_count", "cache_hit_count")
_SESSION = ("id", "created_at", "seen_at", "expires_at", "client", "agent", "provider_session")
_DEVICE = (
    "id",
    "program",
    "device",
    "address",
    "created_at",
    "used_at",
    "expires_at",
    "ended_at",
    "ended_because",
    "checked_at",
)
_RECORD = ("id", "started_at", "token_id", "project_id", "api", "endpoint", "model", "status", "input_tokens")
_RECORD_MORE = ("output_tokens", "cost", "user", "session", "program", "user_agent", "client", "tags", "metadata")
_AUDITED = ("id", "timestamp", "action", "actor", "outcome", "client_ip", "user_agent", "token_id", "project_id")

_NAMING = {
    "user": "",
    "session": "",
    "user_agent": "",
    "client": "",
    "tags": None,
    "metadata": None,
    "person_id": None,
}
"""What records of usage have of a person beside the token: what their programs said of them, and whence they came."""

MOST_AT_ONCE = 500


def exported(connection: Connection, person_id: str, limit: int) -> dict[str, Any] | None:
    """
    All that is stored of somebody, as values of JSON; C{None} if there is nobody. Moments are seconds since the epoch;
    hashes of secrets are left out.

    @param limit: single records of usage, the last ones; of the audit log the last L{MOST_AUDITED}.
    """
    row = connection.execute(select(people).where(people.c.id == person_id)).first()
    if row is None:
        return None
    person = row._asdict()
    del person["subject_key"], person["version"]
    person["groups"] = msgspec.json.decode(person["groups"])
    person["limits"] = None if person["limits"] is None else msgspec.json.decode(person["limits"])
    ids = _token_ids(connection, person_id)
    mine = tokens.c.person_id == person_id
    actor = f"{person['provider']}:{person['email'] or person['subject']}"
    audited = audit_events.c.token_id.in_(ids) | (audit_events.c.actor == actor)
    return {
        "person": person,
        "tokens": _rows(connection, tokens, (*_TOKEN, *_TOKEN_COUNTS), mine, tokens.c.created_at),
        "sessions": _rows(connection, sessions, _SESSION, sessions.c.admin_id == person_id, sessions.c.created_at),
        "devices": _rows(connection, devices, _DEVICE, devices.c.person_id == person_id, devices.c.used_at),
        "usage": _rows(
            connection,
            usage_records,
            (*_RECORD, *_RECORD_MORE),
            usage_records.c.token_id.in_(ids),
            usage_records.c.ended_at,
            limit,
        ),
        "audit": _rows(connection, audit_events, _AUDITED, audited, audit_events.c.timestamp, MOST_AUDITED),
    }


def forget(connection: Connection, person_id: str, names: frozenset[str]) -> None:
    """
    Take away what names somebody. Their tokens have ended; these stay as what sums are of, without a name and without
    whose they were.

    @param names: theirs, in small letters: sums of users who are called so are of nobody in particular from then on.
    """
    ids = _token_ids(connection, person_id)
    _rename(connection, ids, names)
    nameless = {"person_id": None, "name": None, "metadata": None}
    for at in range(0, len(ids), MOST_AT_ONCE):
        some = ids[at : at + MOST_AT_ONCE]
        connection.execute(usage_records.update().where(usage_records.c.token_id.in_(some)).values(_NAMING))
        nobodys = {"person_id": None, "name": None}
        connection.execute(ended_tokens.update().where(ended_tokens.c.id.in_(some)).values(nobodys))
        connection.execute(tokens.update().where(tokens.c.id.in_(some)).values(nameless))
    connection.execute(sessions.delete().where(sessions.c.admin_id == person_id))
    connection.execute(devices.delete().where(devices.c.person_id == person_id))


def _rename(connection: Connection, ids: list[str], names: frozenset[str]) -> None:
    """In reports, a user with one of their names and their sessions are C{other}; numbers of series stay."""
    row = usage_records.c
    for at in range(0, len(ids), MOST_AT_ONCE):
        mine = row.token_id.in_(ids[at : at + MOST_AT_ONCE])
        for column, kind in ((row.user, "user"), (row.session, "session")):
            query = select(row.project_id, column).where(mine, column != "").distinct()
            for project_id, value in connection.execute(query).all():
                if kind == "user" and value.lower() not in names:
                    continue
                series = usage_series.c
                which = (series.project_id == project_id, series.kind == kind, series.value == value)
                connection.execute(usage_series.update().where(*which).values(value=OTHER))


def names_of(person: Person) -> frozenset[str]:
    """By what programs may have called somebody, in small letters."""
    found = (person.name, person.email, person.email.partition("@")[0], person.subject, person.actor)
    return frozenset(each.lower() for each in found if each)


def _token_ids(connection: Connection, person_id: str) -> list[str]:
    """Those of the tokens that they have and had."""
    kept, gone = (
        connection.scalars(select(table.c.id).where(table.c.person_id == person_id)).all()
        for table in (tokens, ended_tokens)
    )
    return [*kept, *gone]


def _rows(
    connection: Connection, table: Any, names: tuple[str, ...], which: Any, order: Any, limit: int = 10_000
) -> list[dict[str, Any]]:
    query = select(*(table.c[name] for name in names)).where(which).order_by(order.desc()).limit(limit)
    return [row._asdict() for row in connection.execute(query)]
