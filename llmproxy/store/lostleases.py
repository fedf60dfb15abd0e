"""
Leases whose process has died.

What a process has leased stands in the database with its name and the time when it was last there. What has not been
seen for a while is lost: nobody knows how many of those uses were spent, so they stay leased for ever, and are shown as
C{reserved_lost}. A process that was only away, and writes its uses down after all, takes them out again: none of this
decides what may be spent.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import case, delete, select, update
from twisted.internet.defer import Deferred

from ..net.clockedcall import ClockedCall
from .schema import leases, tokens

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .contracts import ITransactions

INTERVAL = 5.0
"""Seconds between two looks, each with a sign of life of what this process holds."""

LOST_AFTER = 30.0
"""Seconds without a sign of life. A clock that is wrong by more shows too much for a while, and changes nothing."""


class Holder(Protocol):
    """The notes of this process's leases, L{llmproxy.store.usage.Usage}."""

    holder: str

    async def sign_of_life(self, now: float) -> None:
        """Say that this process is there, where it holds leases."""


class LostLeases:
    """
    Tells what this process holds that it is there, and finds what dead ones held.

    @param clock: its C{seconds} are since the epoch.
    """

    def __init__(self, clock: Any, database: ITransactions, usage: Holder) -> None:
        self._seconds = clock.seconds
        self._database = database
        self._usage = usage
        self._loop = ClockedCall(clock, self.look)

    def start(self) -> None:
        self._loop.start(INTERVAL, now=False)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def look(self) -> Deferred[None]:
        """Never fails: what could not be asked is asked the next time."""
        return Deferred.fromCoroutine(self._look()).addErrback(lambda _: None)

    async def _look(self) -> None:
        holder, now = self._usage.holder, self._seconds()
        await self._usage.sign_of_life(now)
        since = now - LOST_AFTER
        found = await self._database.read(lambda connection: _unseen(connection, holder, since))
        for one in found:
            await self._database.run(partial(_lose, *one, since))


def changed(connection: Connection, holder: str, token_id: str, more: int, now: float) -> None:
    """
    A process holds so many leased uses more of a token, or less.

    What it accounts for and does not hold any more was called lost meanwhile.
    """
    this = (leases.c.holder == holder) & (leases.c.token_id == token_id)
    changing = update(leases).where(this, leases.c.size + more >= 0)
    if connection.execute(changing.values(size=leases.c.size + more, seen_at=now)).rowcount:
        return
    if more > 0:
        connection.execute(leases.insert().values(holder=holder, token_id=token_id, size=more, seen_at=now))
        return
    held = connection.scalar(select(leases.c.size).where(this).with_for_update()) or 0
    connection.execute(delete(leases).where(this))
    _found_again(connection, token_id, -held - more)


def _found_again(connection: Connection, token_id: str, size: int) -> None:
    lost = tokens.c.reserved_lost
    rest = case((lost > size, lost - size), else_=0)
    connection.execute(update(tokens).where(tokens.c.id == token_id, lost > 0).values(reserved_lost=rest))


def seen(connection: Connection, holder: str, now: float) -> int:
    """A sign of life for all that a process holds; of how many tokens that is."""
    mine = leases.c.holder == holder
    connection.execute(delete(leases).where(mine, leases.c.size == 0))
    return connection.execute(update(leases).where(mine).values(seen_at=now)).rowcount


def _unseen(connection: Connection, holder: str, since: float) -> list[tuple[str, str]]:
    query = select(leases.c.holder, leases.c.token_id).where(leases.c.seen_at < since, leases.c.holder != holder)
    return [(row.holder, row.token_id) for row in connection.execute(query.limit(100))]


def _lose(holder: str, token_id: str, since: float, connection: Connection) -> None:
    this = (leases.c.holder == holder) & (leases.c.token_id == token_id) & (leases.c.seen_at < since)
    size = connection.scalar(select(leases.c.size).where(this).with_for_update())
    if size is not None and connection.execute(delete(leases).where(this)).rowcount:
        more = update(tokens).where(tokens.c.id == token_id)
        connection.execute(more.values(reserved_lost=tokens.c.reserved_lost + size))
