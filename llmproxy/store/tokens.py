"""Tokens at rest: the hash of the secret, never the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select
from zope.interface import implementer

from ..interfaces import ITokenStore
from ..message import Token
from .schema import micros, seconds, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection
    from twisted.internet.defer import Deferred

    from .engine import Database


@implementer(ITokenStore)
class TokenStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, token: Token) -> Deferred[None]:
        def insert(connection: Connection) -> None:
            connection.execute(tokens.insert().values(_row(token)))

        return self._database.run(insert)

    def by_hash(self, token_hash: str) -> Deferred[Token | None]:
        return self._database.run(lambda connection: _one(connection, tokens.c.token == token_hash))

    def get(self, token_id: str) -> Deferred[Token | None]:
        return self._database.run(lambda connection: _one(connection, tokens.c.id == token_id))

    def list(self, project_id: str | None = None) -> Deferred[list[Token]]:
        def read(connection: Connection) -> list[Token]:
            query = tokens.select().order_by(tokens.c.created_at.desc(), tokens.c.id)
            if project_id is not None:
                query = query.where(tokens.c.project_id == project_id)
            return [_token(row) for row in connection.execute(query)]

        return self._database.run(read)

    def update(
        self,
        token_id: str,
        *,
        now: float,
        is_active: bool | None = None,
        max_requests: int | None = None,
        unlimited: bool = False,
    ) -> Deferred[Token | None]:
        """Change what is given and only that, never a counter."""

        def change(connection: Connection) -> Token | None:
            before = _one(connection, tokens.c.id == token_id)
            if before is None:
                return None
            changed: dict[str, Any] = {}
            if is_active is not None and is_active != before.is_active:
                changed |= {"is_active": is_active, "deactivated_at": None if is_active else micros(now)}
            if unlimited:
                changed["max_requests"] = None
            elif max_requests is not None:
                changed["max_requests"] = max_requests
            if changed:
                connection.execute(tokens.update().where(tokens.c.id == token_id).values(changed))
            return _one(connection, tokens.c.id == token_id)

        return self._database.run(change)

    def revoke_project(self, project_id: str, *, now: float) -> Deferred[tuple[int, int]]:
        """Revoke all tokens of a project in one statement: how many were revoked, and how many there are."""

        def revoke(connection: Connection) -> tuple[int, int]:
            mine = tokens.c.project_id == project_id
            active = and_(mine, tokens.c.is_active.is_(True))
            result = connection.execute(
                tokens.update().where(active).values(is_active=False, deactivated_at=micros(now))
            )
            total = connection.execute(select(func.count()).select_from(tokens).where(mine)).scalar_one()
            return result.rowcount, total

        return self._database.run(revoke)

    def lease(self, token_id: str, wanted: int) -> Deferred[int]:
        """
        Set aside up to C{wanted} uses: how many were, 0 if none are left.

        One conditional C{UPDATE} decides, so that no two processes are given the same use.
        """

        def take(connection: Connection) -> int:
            left = tokens.c.max_requests - tokens.c.request_count - tokens.c.leased
            available = connection.execute(select(left).where(tokens.c.id == token_id)).scalar()
            if available is None or available <= 0:
                return 0
            # The last uses go one by one: a process that keeps some back would refuse for another.
            count = max(1, min(wanted, available // 4))
            taken = connection.execute(
                tokens.update()
                .where(and_(tokens.c.id == token_id, left >= count))
                .values(leased=tokens.c.leased + count)
            )
            return count if taken.rowcount else 0

        return self._database.run(take)

    def settle(self, spent: Mapping[str, tuple[int, int, float | None]]) -> Deferred[None]:
        """
        Write down what was used: by token id, uses spent, leased uses that this ends, and when last.

        In the order of ids, so that two processes never wait for each other's rows.
        """

        def write(connection: Connection) -> None:
            for token_id in sorted(spent):
                count, released, last = spent[token_id]
                values: dict[str, Any] = {
                    "request_count": tokens.c.request_count + count,
                    "leased": tokens.c.leased - released,
                }
                if last is not None:
                    when = micros(last)
                    earlier = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < when)
                    mine = and_(tokens.c.id == token_id, earlier)
                    connection.execute(tokens.update().where(mine).values(last_used_at=when))
                connection.execute(tokens.update().where(tokens.c.id == token_id).values(values))

        return self._database.run(write)


def _one(connection: Connection, condition: Any) -> Token | None:
    row = connection.execute(tokens.select().where(condition)).one_or_none()
    return None if row is None else _token(row)


def _row(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "token": token.token_hash,
        "hint": token.hint,
        "project_id": token.project_id,
        "expires_at": micros(token.expires_at),
        "is_active": token.is_active,
        "deactivated_at": micros(token.deactivated_at),
        "request_count": token.request_count,
        "leased": 0,
        "max_requests": token.max_requests,
        "created_at": micros(token.created_at),
        "last_used_at": micros(token.last_used_at),
        "cache_hit_count": token.cache_hit_count,
    }


def _token(row: Any) -> Token:
    return Token(
        id=row.id,
        token_hash=row.token,
        hint=row.hint,
        project_id=row.project_id,
        expires_at=seconds(row.expires_at),
        is_active=bool(row.is_active),
        deactivated_at=seconds(row.deactivated_at),
        request_count=row.request_count,
        max_requests=row.max_requests,
        created_at=row.created_at / 1_000_000,
        last_used_at=seconds(row.last_used_at),
        cache_hit_count=row.cache_hit_count,
    )
