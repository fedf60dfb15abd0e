"""Tokens in the database. Nothing here writes a counter: that is L{llmproxy.store.usage}'s alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, not_, null, select
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..interfaces import ITokenStore
from ..message import Page, Token
from .paging import behind, check_limit, paged, position, read_position
from .projects import activity
from .schema import tokens

if TYPE_CHECKING:
    from .database import Database

_COLUMNS = (
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
)
"""In the order of L{Token}'s fields."""


@implementer(ITokenStore)
class TokenStore:
    """Updates name the columns that they change and no other, so that none rolls back a counter."""

    def __init__(self, clock: Any, database: Database) -> None:
        self._seconds = clock.seconds
        self._database = database

    def create(self, token: Token) -> Deferred[None]:
        row = {column.name: getattr(token, column.name) for column in _COLUMNS}
        row["leased"] = 0
        creating = self._database.run(lambda connection: connection.execute(tokens.insert().values(row)))
        return creating.addCallback(lambda _: None)

    def by_hash(self, token_hash: str) -> Deferred[Token | None]:
        return self._database.read(lambda connection: _one(connection, tokens.c.token_hash == token_hash))

    def get(self, token_id: str) -> Deferred[Token | None]:
        return self._database.read(lambda connection: _one(connection, tokens.c.id == token_id))

    def list(self, project_id: str | None = None) -> Deferred[list[Token]]:
        query = select(*_COLUMNS).order_by(tokens.c.created_at.desc(), tokens.c.id.desc())
        if project_id is not None:
            query = query.where(tokens.c.project_id == project_id)
        return self._database.read(lambda connection: [Token(*row) for row in connection.execute(query)])

    def page(
        self, limit: int, after: str | None = None, *, project_id: str | None = None, is_active: bool | None = None
    ) -> Deferred[Page[Token]]:
        check_limit(limit)
        last = None if after is None else read_position(after, int, str)
        query = select(*_COLUMNS).order_by(tokens.c.created_at.desc(), tokens.c.id.desc())
        if project_id is not None:
            query = query.where(tokens.c.project_id == project_id)
        if is_active is not None:
            query = query.where(tokens.c.is_active if is_active else not_(tokens.c.is_active))

        def page(connection: Connection) -> Page[Token]:
            found = query
            if last is not None:
                found = query.where(behind(connection, tokens.c.created_at, tokens.c.id, last[0], last[1]))
            rows = connection.execute(found.limit(limit + 1))
            return paged([Token(*row) for row in rows], limit, _position)

        return self._database.read(page)

    def update(
        self,
        token_id: str,
        *,
        is_active: bool | None = None,
        max_requests: int | None = None,
        unlimited: bool = False,
    ) -> Deferred[Token | None]:
        changes: dict[str, Any] = {}
        if is_active is not None:
            changes |= activity(tokens, is_active, self._seconds())
        if unlimited or max_requests is not None:
            changes["max_requests"] = null() if unlimited else max_requests

        def change(connection: Connection) -> Token | None:
            if changes:
                connection.execute(tokens.update().where(tokens.c.id == token_id).values(changes))
            return _one(connection, tokens.c.id == token_id)

        return self._database.run(change)

    def revoke_project(self, project_id: str) -> Deferred[tuple[int, int]]:
        mine = tokens.c.project_id == project_id
        revoke = tokens.update().where(mine, tokens.c.is_active).values(activity(tokens, False, self._seconds()))

        def change(connection: Connection) -> tuple[int, int]:
            revoked = connection.execute(revoke).rowcount
            total = connection.scalar(select(func.count()).select_from(tokens).where(mine))
            return revoked, total or 0

        return self._database.run(change)


def _position(token: Token) -> str:
    return position(round(token.created_at * 1_000_000), token.id)


def _one(connection: Connection, condition: Any) -> Token | None:
    row = connection.execute(select(*_COLUMNS).where(condition)).first()
    return None if row is None else Token(*row)
