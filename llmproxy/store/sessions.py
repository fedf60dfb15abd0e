"""Sessions of the admin pages in the database."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from attrs import fields
from sqlalchemy import Select, and_, select
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.sessions import actor_of
from ..interfaces import ISessionStore
from ..message import Admin, Role, Session
from .schema import admins, people, sessions
from .together import single

if TYPE_CHECKING:
    from .contracts import ITransactions

MOST = 100
"""Of one admin: who signs in more often loses the oldest."""

MAX_LISTED = 1000

_COLUMNS = tuple(sessions.c[each.name] for each in fields(Session))
_ADMIN = tuple(admins.c[each.name].label(f"admin_{each.name}") for each in fields(Admin))
_PERSON = tuple(
    people.c[name].label(f"person_{name}")
    for name in ("id", "provider", "email", "subject", "role", "created_at", "revoked_at")
)


@implementer(ISessionStore)
class SessionStore:
    def __init__(self, clock: Any, database: ITransactions) -> None:
        self._seconds = clock.seconds
        self._database = database

    def create(self, session: Session) -> Deferred[None]:
        now = self._seconds()

        def create(connection: Connection) -> None:
            connection.execute(sessions.delete().where(sessions.c.expires_at <= now))
            _make_room(connection, session.admin_id)
            connection.execute(sessions.insert().values({c.name: getattr(session, c.name) for c in _COLUMNS}))

        return self._database.run(create)

    def by_hash(self, secret_hash: str) -> Deferred[tuple[Session, Admin | None] | None]:
        query = _all().where(sessions.c.secret_hash == secret_hash)
        return self._database.read(single(lambda connection: _one(connection, query)))

    def get(self, session_id: str) -> Deferred[tuple[Session, Admin | None] | None]:
        query = _all().where(sessions.c.id == session_id)
        return self._database.read(lambda connection: _one(connection, query))

    def list(self, admin_id: str | None = None) -> Deferred[list[tuple[Session, Admin | None]]]:
        query = _all().order_by(sessions.c.created_at.desc(), sessions.c.id).limit(MAX_LISTED)
        if admin_id is not None:
            query = query.where(sessions.c.admin_id == admin_id)
        return self._database.read(lambda connection: _pairs(connection, query))

    def used(self, session_id: str) -> Deferred[None]:
        statement = sessions.update().where(sessions.c.id == session_id).values(seen_at=self._seconds())
        noting = self._database.run(single(lambda connection: connection.execute(statement)))
        return noting.addCallback(lambda _: None)

    def end(self, session_id: str) -> Deferred[bool]:
        return self._delete(sessions.c.id == session_id).addCallback(bool)

    def end_all(self, admin_id: str | None = None, keep: str | None = None) -> Deferred[int]:
        which = [] if admin_id is None else [sessions.c.admin_id == admin_id]
        return self._delete(and_(True, *which, *([] if keep is None else [sessions.c.id != keep])))

    def _delete(self, which: Any) -> Deferred[int]:
        return self._database.run(lambda connection: int(connection.execute(sessions.delete().where(which)).rowcount))


def _make_room(connection: Connection, admin_id: str) -> None:
    oldest = (
        select(sessions.c.id)
        .where(sessions.c.admin_id == admin_id)
        .order_by(sessions.c.created_at.desc(), sessions.c.id)
        .offset(MOST - 1)
        .limit(MOST)
    )
    gone = [row.id for row in connection.execute(oldest)]
    if gone:
        connection.execute(sessions.delete().where(sessions.c.id.in_(gone)))


def _all() -> Select[Any]:
    """Each with the admin or the person whose it is: no two of them have the same id."""
    joined = sessions.outerjoin(admins, admins.c.id == sessions.c.admin_id)
    joined = joined.outerjoin(people, people.c.id == sessions.c.admin_id)
    return select(*_COLUMNS, *_ADMIN, *_PERSON).select_from(joined)


def _one(connection: Connection, query: Select[Any]) -> tuple[Session, Admin | None] | None:
    return next(iter(_pairs(connection, query)), None)


def _pairs(connection: Connection, query: Select[Any]) -> builtins.list[tuple[Session, Admin | None]]:
    found = []
    end = len(_COLUMNS) + len(_ADMIN)
    for row in connection.execute(query):
        own, admin, person = row[: len(_COLUMNS)], row[len(_COLUMNS) : end], row[end:]
        found.append((Session(*own), _person(*person) if admin[0] is None else Admin(*admin)))
    return found


def _person(
    person_id: str | None,
    provider: str,
    email: str,
    subject: str,
    role: Role | None,
    created_at: float,
    revoked_at: float | None,
) -> Admin | None:
    """A person as an admin, as long as they have a role; C{None} where there is none."""
    if person_id is None or role is None:
        return None
    name = actor_of(provider, email, subject)
    return Admin(person_id, name, "", "", role, created_at, revoked_at=revoked_at)
