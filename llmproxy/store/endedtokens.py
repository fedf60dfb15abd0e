"""
The retention of tokens that have ended: those that expired or were revoked long enough ago are removed.

Their names stay, in a table of their own, for reports and for the audit log, which know them by their ids.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, not_, select

from .duty import Duty
from .schema import ended_tokens, leases, tokens

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .database import Database

BATCH = 500
"""Tokens that one transaction removes."""

MOST_BATCHES = 100
"""Transactions of one round; what is left goes in the next."""


class EndedTokens(Duty):
    """
    @param keep: seconds for which a token stays after its end.
    """

    def __init__(self, clock: Any, database: Database, keep: float) -> None:
        super().__init__(clock, database, "tokens", self.clear)
        self._keep = keep

    async def clear(self) -> None:
        now = self._seconds()
        for end in (tokens.c.expires_at, tokens.c.deactivated_at):
            statement = partial(remove, end=end, before=now - self._keep, now=now)
            for _ in range(MOST_BATCHES):
                if self.stopping or not await self._database.run(statement):
                    break


def remove(connection: Connection, *, end: Any, before: float, now: float) -> bool:
    """
    Remove tokens and note their names; whether there may be more.

    What was let in again, or given more time, meanwhile stays: the rows are locked before they are looked at.

    @param end: the column that says when they ended.
    """
    columns = (tokens.c.id, tokens.c.name, tokens.c.project_id, tokens.c.person_id, end.label("ended_at"))
    old = [end < before] if end is tokens.c.expires_at else [end < before, not_(tokens.c.is_active)]
    query = select(*columns).where(*old).order_by(tokens.c.id).limit(BATCH).with_for_update()
    rows = {row.id: row._asdict() | {"removed_at": now} for row in connection.execute(query)}
    if rows:
        ids = list(rows)
        connection.execute(delete(ended_tokens).where(ended_tokens.c.id.in_(ids)))
        connection.execute(ended_tokens.insert(), list(rows.values()))
        connection.execute(delete(leases).where(leases.c.token_id.in_(ids)))
        connection.execute(delete(tokens).where(tokens.c.id.in_(ids)))
    return len(rows) == BATCH
