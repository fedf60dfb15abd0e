"""Tokens in the database. Nothing here writes a counter: that is L{llmproxy.store.usage}'s alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Select, func, literal, not_, null, or_, select, type_coerce
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.limits.written import Change, read, text_of
from ..core.tokens import as_held
from ..interfaces import ITokenStore
from ..message import Page, Token
from .limitfields import change_limits
from .paging import behind, bounded, check_limit, edge_of, paged, position, read_position, until_edge
from .projects import activity, apply
from .schema import Moment, tokens
from .search import contains_plain
from .together import once, single

if TYPE_CHECKING:
    from .contracts import INotedTransactions

COLUMNS = (
    tokens.c.id,
    tokens.c.token_hash,
    tokens.c.hint,
    tokens.c.project_id,
    tokens.c.expires_at,
    tokens.c.is_active,
    tokens.c.deactivated_at,
    tokens.c.request_count,
    tokens.c.max_requests,
    tokens.c.created_at,
    tokens.c.last_used_at,
    tokens.c.cache_hit_count,
    tokens.c.name,
    tokens.c.metadata,
    tokens.c.version,
    tokens.c.previous_hash,
    tokens.c.previous_until,
    tokens.c.reserved_lost,
    tokens.c.limits,
    tokens.c.budget_reset_at,
    tokens.c.person_id,
    tokens.c.kind,
)
"""In the order of L{Token}'s fields."""

SLOW = frozenset({"mysql"})
"""Databases that take more than half a second to look for a text in a million names."""

MOST_SEARCHED = 300_000
"""Tokens that one page of a search looks at there; the next one goes on where it has ended."""

_MOMENT: Any = type_coerce(tokens.c.created_at, BigInteger)
_PLACE = (tokens.c.created_at, tokens.c.id)
_LATEST_FIRST = tuple(column.desc() for column in _PLACE)

_LIMITS = COLUMNS.index(tokens.c.limits)


MOST_AT_ONCE = 1000
"""Ids that are looked up in one statement."""


@implementer(ITokenStore)
class TokenStore:
    """Updates name the columns that they change and no other, so that none rolls back a counter."""

    def __init__(self, clock: Any, database: INotedTransactions) -> None:
        self._seconds = clock.seconds
        self._database = database

    def create(self, token: Token) -> Deferred[None]:
        row = {column.name: getattr(token, column.name) for column in COLUMNS}
        row |= {"leased": 0, "limits": text_of(token.limits)}
        creating = self._database.run(lambda connection: connection.execute(tokens.insert().values(row)))
        return creating.addCallback(lambda _: None)

    def by_hash(self, token_hash: str) -> Deferred[Token | None]:
        def find(connection: Connection) -> Token | None:
            # Two questions: of one with OR the databases do not all make two look-ups of an index.
            for column in (tokens.c.token_hash, tokens.c.previous_hash):
                found = _one(connection, column == token_hash)
                if found is not None:
                    return as_held(found, token_hash)
            return None

        return self._database.read(find)

    def by_hashes(self, hashes: Sequence[str]) -> Deferred[dict[str, Token]]:
        def find(connection: Connection) -> dict[str, Token]:
            found: dict[str, Token] = {}
            for column in (tokens.c.token_hash, tokens.c.previous_hash):
                missing = [each for each in hashes if each not in found]
                if not missing:
                    break
                for row in connection.execute(select(*COLUMNS).where(column.in_(missing))):
                    token = token_of(row)
                    digest = token.token_hash if column is tokens.c.token_hash else token.previous_hash
                    held = None if digest is None else as_held(token, digest)
                    if digest is not None and held is not None:
                        found[digest] = held
            return found

        return self._database.read(find)

    def get(self, token_id: str) -> Deferred[Token | None]:
        def get(connection: Connection) -> Token | None:
            return once(connection, ("token", token_id), lambda: _one(connection, tokens.c.id == token_id))

        return self._database.read(single(get))

    def list(self, project_id: str | None = None) -> Deferred[list[Token]]:
        query = select(*COLUMNS).order_by(*_LATEST_FIRST)
        if project_id is not None:
            query = query.where(tokens.c.project_id == project_id)
        return self._database.read(lambda connection: [token_of(row) for row in connection.execute(query)])

    def page(
        self,
        limit: int,
        after: str | None = None,
        *,
        project_id: str | None = None,
        is_active: bool | None = None,
        expired: bool | None = None,
        name: str | None = None,
    ) -> Deferred[Page[Token]]:
        check_limit(limit)
        last = None if after is None else read_position(after, int, str)
        query = select(*(COLUMNS if name is None else _PLACE)).order_by(*_LATEST_FIRST)
        if project_id is not None:
            query = query.where(tokens.c.project_id == project_id)
        if is_active is not None and (project_id is not None or name is not None):
            query = query.where(_among_few(is_active))
        elif is_active is not None:
            query = query.where(tokens.c.is_active if is_active else not_(tokens.c.is_active))
        if expired is not None:
            query = query.where(_expiry(expired, self._seconds()))
        if name is not None:
            query = query.where(contains_plain(tokens.c.name, name))

        def page(connection: Connection) -> Page[Token]:
            begun = [] if last is None else [behind(connection, *_PLACE, *last)]
            found, edge = query.where(*begun), None
            if name is not None and project_id is None and connection.dialect.name in SLOW:
                edge = edge_of(connection, _MOMENT, tokens.c.id, MOST_SEARCHED, *begun)
            if edge is not None:
                found = found.where(until_edge(connection, _MOMENT, tokens.c.id, edge))
            found = found.limit(limit + 1)
            rows = connection.execute(found if name is None else _of_places(found))
            return bounded(paged([token_of(row) for row in rows], limit, _position), edge)

        return self._database.read(page)

    def update(
        self,
        token_id: str,
        *,
        is_active: bool | None = None,
        max_requests: int | None = None,
        unlimited: bool = False,
        expires_at: float | None = None,
        name: str | None = None,
        metadata: str | None = None,
        limits: Change | None = None,
        budget_reset_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Token | None]:
        changes: dict[str, Any] = {}
        if is_active is not None:
            changes |= activity(tokens, is_active, self._seconds())
        if unlimited or max_requests is not None:
            changes["max_requests"] = null() if unlimited else max_requests
        if expires_at is not None:
            changes["expires_at"] = expires_at
        for column, text in (("name", name), ("metadata", metadata)):
            if text is not None:
                changes[column] = text or null()
        if budget_reset_at is not None:
            changes["budget_reset_at"] = budget_reset_at
        return self._change(token_id, version, changes, limits)

    def rotate(
        self,
        token_id: str,
        *,
        token_hash: str,
        hint: str,
        previous_until: float | None = None,
        expires_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Token | None]:
        changes: dict[str, Any] = {
            "previous_hash": null() if previous_until is None else tokens.c.token_hash,
            "previous_until": previous_until,
            "token_hash": token_hash,
            "hint": hint,
        }
        if expires_at is not None:
            changes["expires_at"] = expires_at
        return self._change(token_id, version, changes)

    def _change(
        self, token_id: str, version: int | None, changes: dict[str, Any], limits: Change | None = None
    ) -> Deferred[Token | None]:
        def change(connection: Connection) -> Token | None:
            if changes or limits or version is not None:
                noted = {**changes, "version": tokens.c.version + 1}
                if apply(connection, tokens, token_id, version, noted):
                    change_limits(connection, tokens, token_id, limits)
                    self._database.note(connection, "token", token_id)
            return _one(connection, tokens.c.id == token_id)

        return self._database.run(change)

    def some(self, ids: Sequence[str]) -> Deferred[Sequence[Token]]:
        query = select(*COLUMNS).where(tokens.c.id.in_(ids[:MOST_AT_ONCE]))
        return self._database.read(single(lambda connection: [token_of(row) for row in connection.execute(query)]))

    def revoke_project(self, project_id: str) -> Deferred[tuple[int, int]]:
        mine = tokens.c.project_id == project_id
        changes = activity(tokens, False, self._seconds()) | {"version": tokens.c.version + 1}
        revoke = tokens.update().where(mine, _among_few(True)).values(changes)

        def change(connection: Connection) -> tuple[int, int]:
            revoked = connection.execute(revoke).rowcount
            total = connection.scalar(select(func.count()).select_from(tokens).where(mine))
            if revoked:
                self._database.note(connection, "tokens_of", project_id)
            return revoked, total or 0

        return self._database.run(change)


def _expiry(expired: bool, now: float) -> Any:
    at = literal(now, Moment())
    return tokens.c.expires_at <= at if expired else or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > at)


def _among_few(is_active: bool) -> Any:
    """
    Whether a token is active, of those that an index of something else has found. SQLite would take the index of all
    active tokens as readily: this is a condition that none answers.
    """
    return tokens.c.is_active.is_not(not is_active)


def _of_places(found: Select[Any]) -> Select[Any]:
    """
    The tokens at some places. Those with a name are found in an index that holds all that they are chosen by, of which
    a database reads a million entries in the time in which it reads a few ten thousand tokens.
    """
    places = found.subquery()
    return select(*COLUMNS).join_from(tokens, places, tokens.c.id == places.c.id).order_by(*_LATEST_FIRST)


def _position(token: Token) -> str:
    return position(round(token.created_at * 1_000_000), token.id)


def _one(connection: Connection, condition: Any) -> Token | None:
    row = connection.execute(select(*COLUMNS).where(condition)).first()
    return None if row is None else token_of(row)


def token_of(row: Any) -> Token:
    values = list(row)
    values[_LIMITS] = read(values[_LIMITS])
    return Token(*values)
