"""People in the database, with their tokens and sessions."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import evolve, fields
from sqlalchemy import and_, func, literal, or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.limits.written import read, text_of
from ..core.people.person import Person, subject_key
from ..core.tokens import JWT
from ..interfaces.people import IPeopleStore
from ..message import Page, Token
from .paging import behind, check_limit, paged, position, read_position
from .persondata import exported, forget, names_of
from .projects import activity
from .schema import Moment, device_grants, devices, people, projects, sessions, tokens
from .search import contains
from .together import once, single
from .tokens import COLUMNS as TOKEN_COLUMNS
from .tokens import token_of

if TYPE_CHECKING:
    from .contracts import INotedTransactions

MOST_TOKENS = 1000
MOST_AT_ONCE = 100

PERSON_OUT = "person_out"
"""What the changes feed calls that somebody was shut out; see L{llmproxy.store.changes}."""

_COLUMNS = tuple(people.c[each.name] for each in fields(Person))
_GROUPS, _LIMITS = _COLUMNS.index(people.c.groups), _COLUMNS.index(people.c.limits)
_SAID = ("provider", "issuer", "subject", "name", "email", "groups", "role", "project_id", "limits")


@implementer(IPeopleStore)
class PeopleStore:
    """
    Every transaction that gives a person something writes to their row first: it comes before one that revokes them,
    which then takes that away too, or it finds them revoked.
    """

    def __init__(self, clock: Any, database: INotedTransactions) -> None:
        self._seconds = clock.seconds
        self._database = database

    def note(self, person: Person) -> Deferred[Person]:
        def note(connection: Connection) -> Person:
            which = people.c.subject_key == person.subject_key
            known = _one(connection, which)
            if known is not None and not _is_news(person, known):
                return known
            row = _row(person)
            said = {name: row[name] for name in _SAID} | {"last_seen_at": person.last_seen_at}
            changed = people.update().where(which).values(**said, version=people.c.version + 1)
            if not connection.execute(changed).rowcount:
                connection.execute(people.insert().values(row))
            found = _one(connection, which)
            assert found is not None, "the row is locked"
            self._settle(connection, found)
            return found

        # Two processes that see somebody for the first time: one of them finds the row of the other.
        noting = self._database.run(note)
        return noting.addErrback(lambda reason: _again(reason, lambda: self._database.run(note)))

    def _settle(self, connection: Connection, person: Person) -> None:
        """What they have follows what they get now."""
        mine = and_(tokens.c.person_id == person.id, tokens.c.is_active)
        for row in connection.execute(select(*TOKEN_COLUMNS).where(mine)).all():
            token = token_of(row)
            which = tokens.c.id == token.id
            if token.project_id != person.project_id and token.kind != JWT:
                self._change(connection, token.id, which, activity(tokens, False, self._seconds()))
            elif token.project_id == person.project_id and token.limits != person.limits:
                self._change(connection, token.id, which, {"limits": text_of(person.limits)})

    def _change(self, connection: Connection, token_id: str, which: Any, changes: dict[str, Any]) -> None:
        connection.execute(tokens.update().where(which).values({**changes, "version": tokens.c.version + 1}))
        self._database.note(connection, "token", token_id)

    def get(self, person_id: str) -> Deferred[Person | None]:
        def get(connection: Connection) -> Person | None:
            return once(connection, ("person", person_id), lambda: _one(connection, people.c.id == person_id))

        return self._database.read(single(get))

    def some(self, ids: Sequence[str]) -> Deferred[Sequence[Person]]:
        query = select(*_COLUMNS).where(people.c.id.in_(ids[:MOST_AT_ONCE]))
        return self._database.read(single(lambda connection: [_person(row) for row in connection.execute(query)]))

    def by_key(self, subject_key: str) -> Deferred[Person | None]:
        return self._database.read(lambda connection: _one(connection, people.c.subject_key == subject_key))

    def page(
        self, limit: int, after: str | None = None, *, text: str | None = None, is_revoked: bool | None = None
    ) -> Deferred[Page[Person]]:
        check_limit(limit)
        last = None if after is None else read_position(after, int, str)
        query = select(*_COLUMNS).order_by(people.c.last_seen_at.desc(), people.c.id.desc())
        if is_revoked is not None:
            column = people.c.revoked_at
            query = query.where(column.is_not(None) if is_revoked else column.is_(None))
        if text is not None:
            query = query.where(or_(*(contains(people.c[name], text) for name in ("name", "email", "subject"))))

        def page(connection: Connection) -> Page[Person]:
            found = query
            if last is not None:
                found = query.where(behind(connection, people.c.last_seen_at, people.c.id, last[0], last[1]))
            rows = connection.execute(found.limit(limit + 1))
            return paged([_person(row) for row in rows], limit, _position)

        return self._database.read(page)

    def project_id(self, name_or_id: str) -> Deferred[str | None]:
        def find(connection: Connection) -> str | None:
            # A name that is the id of another project: the id is what nobody can choose.
            for column in (projects.c.id, projects.c.name):
                found: str | None = connection.scalar(select(projects.c.id).where(column == name_or_id))
                if found is not None:
                    return found
            return None

        return self._database.read(find)

    def tokens(self, person_id: str) -> Deferred[list[Token]]:
        query = select(*TOKEN_COLUMNS).where(tokens.c.person_id == person_id)
        query = query.order_by(tokens.c.created_at.desc(), tokens.c.id.desc()).limit(MOST_TOKENS)
        return self._database.read(lambda connection: [token_of(row) for row in connection.execute(query)])

    def add_token(self, token: Token) -> Deferred[bool]:
        def add(connection: Connection) -> bool:
            if not is_good(connection, token.person_id or ""):
                return False
            add_token(connection, token)
            return True

        return self._database.run(add)

    def jwt_token(self, person_id: str, token: Token, said_at: float | None) -> Deferred[Token | None]:
        def find(connection: Connection) -> Token | None:
            if not is_good(connection, person_id):
                return None
            mine = and_(tokens.c.person_id == person_id, tokens.c.kind == JWT, tokens.c.project_id == token.project_id)
            found = [token_of(row) for row in connection.execute(select(*TOKEN_COLUMNS).where(mine))]
            for each in found:
                if each.is_active:
                    return each
            last = max(found, key=lambda each: each.deactivated_at or 0.0, default=None)
            if last is not None and (said_at is None or said_at <= (last.deactivated_at or 0.0)):
                return last
            add_token(connection, token)
            return token

        return self._database.run(find)

    def revoke(self, person_id: str) -> Deferred[Person | None]:
        now = self._seconds()

        def revoke(connection: Connection) -> Person | None:
            moment = func.coalesce(people.c.revoked_at, literal(now, Moment()))
            changes = {"revoked_at": moment, "version": people.c.version + 1}
            if not connection.execute(people.update().where(people.c.id == person_id).values(changes)).rowcount:
                return None
            self._shut_out(connection, person_id, now)
            return self._sign_out(connection, people.c.id == person_id, now)

        return self._database.run(revoke)

    def _sign_out(self, connection: Connection, which: Any, now: float) -> Person | None:
        """What a browser has signed in with is over; also with a machine whose clock is ahead of ours."""
        person = _one(connection, which)
        if person is None:
            return None
        at = max(now, person.last_seen_at)
        connection.execute(people.update().where(which).values(signed_out_at=at))
        return evolve(person, signed_out_at=at)

    def _shut_out(self, connection: Connection, person_id: str, now: float) -> None:
        ended = {**activity(tokens, False, now), "version": tokens.c.version + 1}
        mine = and_(tokens.c.person_id == person_id, tokens.c.is_active)
        connection.execute(tokens.update().where(mine).values(ended))
        connection.execute(sessions.delete().where(sessions.c.admin_id == person_id))
        over = {"ended_at": now, "ended_because": "revoked", "provider_token": None}
        # Let in again, they sign in anew: no refresh token from before is good then.
        theirs = and_(devices.c.person_id == person_id, devices.c.ended_at.is_(None))
        connection.execute(devices.update().where(theirs).values(over))
        connection.execute(device_grants.delete().where(device_grants.c.person_id == person_id))
        self._database.note(connection, PERSON_OUT, person_id)

    def reinstate(self, person_id: str) -> Deferred[Person | None]:
        def reinstate(connection: Connection) -> Person | None:
            changes = {"revoked_at": None, "version": people.c.version + 1}
            which = and_(people.c.id == person_id, people.c.revoked_at.is_not(None))
            connection.execute(people.update().where(which).values(changes))
            return _one(connection, people.c.id == person_id)

        return self._database.run(reinstate)

    def end_sessions(self, issuer: str, subject: str, provider_session: str) -> Deferred[int]:
        now = self._seconds()

        def end(connection: Connection) -> int:
            theirs = select(people.c.id, people.c.subject, people.c.issuer)
            owners = theirs.join(sessions, sessions.c.admin_id == people.c.id)
            if provider_session:
                owners = owners.where(sessions.c.provider_session == provider_session)
            ids = {
                row.id
                for row in connection.execute(owners)
                if row.issuer == issuer and (not subject or row.subject == subject)
            }
            if subject:
                self._sign_out(connection, people.c.subject_key == subject_key(issuer, subject), now)
            which: builtins.list[Any] = [sessions.c.admin_id.in_(ids)]
            if provider_session:
                which.append(sessions.c.provider_session == provider_session)
            return int(connection.execute(sessions.delete().where(*which)).rowcount) if ids else 0

        return self._database.run(end)

    def reset_budget(self, person_id: str, at: float) -> Deferred[Person | None]:
        def reset(connection: Connection) -> Person | None:
            which = people.c.id == person_id
            changed = people.update().where(which).values(budget_reset_at=at, version=people.c.version + 1)
            if not connection.execute(changed).rowcount:
                return None
            for token_id in connection.scalars(select(tokens.c.id).where(tokens.c.person_id == person_id)).all():
                self._change(connection, token_id, tokens.c.id == token_id, {"budget_reset_at": at})
            return _one(connection, which)

        return self._database.run(reset)

    def export(self, person_id: str, limit: int) -> Deferred[dict[str, Any] | None]:
        return self._database.read(lambda connection: exported(connection, person_id, limit))

    def delete(self, person_id: str) -> Deferred[bool]:
        now = self._seconds()

        def delete(connection: Connection) -> bool:
            person = _one(connection, people.c.id == person_id)
            if person is None or not connection.execute(people.delete().where(people.c.id == person_id)).rowcount:
                return False
            self._shut_out(connection, person_id, now)
            forget(connection, person_id, names_of(person))
            return True

        return self._database.run(delete)


def is_good(connection: Connection, person_id: str) -> bool:
    """
    Whether somebody may be given something, in a transaction that writes: who revokes them waits until it has ended.
    """
    good = and_(people.c.id == person_id, people.c.revoked_at.is_(None))
    locked = people.update().where(good).values(version=people.c.version + 1)
    return bool(connection.execute(locked).rowcount)


def _is_news(person: Person, known: Person) -> bool:
    """Whether what is said of somebody now is later than what is known, or the same moment's and another."""
    if person.last_seen_at != known.last_seen_at:
        return person.last_seen_at > known.last_seen_at
    return any(getattr(person, name) != getattr(known, name) for name in _SAID)


def add_token(connection: Connection, token: Token) -> None:
    row = {column.name: getattr(token, column.name) for column in TOKEN_COLUMNS}
    connection.execute(tokens.insert().values(row | {"leased": 0, "limits": text_of(token.limits)}))


def _row(person: Person) -> dict[str, Any]:
    row = {column.name: getattr(person, column.name) for column in _COLUMNS}
    row["groups"] = msgspec.json.encode(person.groups).decode()
    return row | {"limits": text_of(person.limits)}


def _one(connection: Connection, condition: Any) -> Person | None:
    row = connection.execute(select(*_COLUMNS).where(condition)).first()
    return None if row is None else _person(row)


def _person(row: Any) -> Person:
    values = list(row)
    values[_GROUPS] = tuple(msgspec.json.decode(values[_GROUPS], type=builtins.list[str]))
    values[_LIMITS] = read(values[_LIMITS])
    return Person(*values)


def _position(person: Person) -> str:
    return position(round(person.last_seen_at * 1_000_000), person.id)


def _again(reason: Any, call: Any) -> Any:
    reason.trap(IntegrityError)
    return call()
