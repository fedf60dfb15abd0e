"""
Uses that are written down, by how far the ledger of their process had come, and those that a dead process still owes.

L{llmproxy.store.usage} notes the sequence of the ledger with the uses, in one transaction; what the ledger has behind
it was used, and nobody has written it down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, delete, or_, select, text
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.ledger.uses import owed
from ..interfaces import IOwedUses
from .lostleases import changed
from .schema import Moment, tokens, written_uses

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.ledger.uses import Uses
    from ..core.quotas import Settlement
    from .contracts import ITransactions

FORGOTTEN_AFTER = 90 * 86_400.0
"""Seconds after which the notes of a process go whose files nobody has found."""

_USED_AT: Any = bindparam("used_at", type_=Moment)

_SETTLE = (
    tokens.update()
    .where(tokens.c.id == bindparam("token_id"))
    .values(
        request_count=tokens.c.request_count + bindparam("used"),
        leased=tokens.c.leased - bindparam("released"),
        last_used_at=case(
            (or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < _USED_AT), _USED_AT),
            else_=tokens.c.last_used_at,
        ),
    )
)

_INSERT = "INSERT INTO written_uses (holder, token_id, upto, noted_at) VALUES (:holder, :token_id, :upto, :noted_at) "
_OTHERS = text(
    _INSERT + "ON CONFLICT (holder, token_id) DO UPDATE SET upto = excluded.upto, noted_at = excluded.noted_at"
)
_MYSQL = text(_INSERT + "ON DUPLICATE KEY UPDATE upto = VALUES(upto), noted_at = VALUES(noted_at)")

_AT_ONCE = 500


def note_written(connection: Connection, holder: str, settlements: Iterable[Settlement], now: float) -> None:
    """The uses of these tokens are written down, in this transaction, up to where each of C{settlements} says."""
    rows = [
        {"holder": holder, "token_id": each.token_id, "upto": each.upto, "noted_at": round(now * 1_000_000)}
        for each in settlements
        if each.upto
    ]
    if rows:
        connection.execute(_MYSQL if connection.dialect.name in ("mysql", "mariadb") else _OTHERS, rows)


def write_down(connection: Connection, settlements: Iterable[Settlement]) -> None:
    """Add to the counters of tokens; in the order of their ids, so that no two wait for each other's rows."""
    connection.execute(_SETTLE, [_row(each) for each in settlements])


@implementer(IOwedUses)
class OwedUses:
    """
    @param clock: its C{seconds} are since the epoch.
    """

    def __init__(self, clock: Any, database: ITransactions) -> None:
        self._seconds = clock.seconds
        self._database = database

    def settle(self, writer: str, uses: Uses) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._settle_all(writer, uses))

    def forget(self, writer: str) -> Deferred[Any]:
        over = written_uses.c.noted_at < self._seconds() - FORGOTTEN_AFTER
        forgetting = delete(written_uses).where((written_uses.c.holder == writer) | over)
        return self._database.run(lambda connection: connection.execute(forgetting))

    async def _settle_all(self, writer: str, uses: Uses) -> None:
        ids = uses.tokens()
        for start in range(0, len(ids), _AT_ONCE):
            await self._database.run(partial(self._settle, writer, uses, ids[start : start + _AT_ONCE]))

    def _settle(self, writer: str, uses: Uses, ids: Sequence[str], connection: Connection) -> None:
        # The process that died may have a transaction on its way: it has these rows then.
        connection.execute(select(tokens.c.id).where(tokens.c.id.in_(ids)).order_by(tokens.c.id).with_for_update())
        mine = written_uses.c.holder == writer, written_uses.c.token_id.in_(ids)
        found = connection.execute(select(written_uses.c.token_id, written_uses.c.upto).where(*mine))
        written = {row.token_id: row.upto for row in found}
        settlements = owed(uses, written, ids)
        now = self._seconds()
        if settlements:
            write_down(connection, settlements)
            for each in settlements:
                changed(connection, writer, each.token_id, -each.released, now)
            note_written(connection, writer, settlements, now)


def _row(settlement: Settlement) -> dict[str, Any]:
    return {
        "token_id": settlement.token_id,
        "used": settlement.used,
        "released": settlement.released,
        "used_at": settlement.last_used_at,
    }
