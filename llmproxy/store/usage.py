"""The only statements that change a token's counters; L{llmproxy.core.quotas} says what they keep true."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import bindparam, case, or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.quotas import Grant, Settlement, lease_size
from ..errors import TokenInactive, TokenNotFound
from ..interfaces import ICacheStatsStore
from .lostleases import changed, seen
from .schema import tokens, writings
from .writtenuses import note_written, write_down

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from .contracts import ITransactions

REMEMBERED_FOR = 86_400.0
"""Seconds for which the names of transactions are kept."""

_SIZE: Any = bindparam("size")

_LEASE = (
    tokens.update()
    .where(
        tokens.c.id == bindparam("token_id"),
        tokens.c.is_active,
        or_(
            tokens.c.max_requests.is_(None),
            tokens.c.request_count + tokens.c.leased + _SIZE <= tokens.c.max_requests,
        ),
    )
    .values(leased=tokens.c.leased + _SIZE)
)

_LOCKED = (
    select(
        tokens.c.is_active,
        tokens.c.request_count,
        tokens.c.leased,
        tokens.c.reserved_lost,
        tokens.c.max_requests,
    )
    .where(tokens.c.id == bindparam("token_id"))
    .with_for_update()
)


@implementer(ICacheStatsStore)
class Usage:
    """
    Leases are taken, uses and hits written down, each in one transaction.

    @ivar holder: what the leases of this process are noted under.
    @ivar has_leased: some are noted.
    """

    def __init__(self, clock: Any, database: ITransactions) -> None:
        self._seconds = clock.seconds
        self._database = database
        self.holder = uuid4().hex
        self.has_leased = False

    def lease(self, settlement: Settlement, wanted: int, max_lease: int, name: str) -> Deferred[Grant]:
        """
        Write down what is owed of a token, then lease more of it.

        In this order and together: uses counted while the token had no limit must be seen by the
        first lease after it got one.

        @param name: of this call alone. If its outcome is not known (L{llmproxy.errors.OutcomeUnknown}),
            L{happened} can be asked for it.
        """

        def lease(connection: Connection) -> Grant:
            if settlement.used or settlement.released:
                self._settle(connection, [settlement], name)
            grant = _lease(connection, settlement.token_id, wanted, max_lease)
            self._note(connection, settlement.token_id, grant.size - settlement.released)
            return grant

        return self._database.run(lease)

    def settle(self, settlements: Iterable[Settlement], name: str) -> Deferred[None]:
        """
        Write down what was used; in the order of ids, so that no two workers wait for each other's rows.

        @param name: likewise.
        """
        ordered = sorted(settlements, key=lambda each: each.token_id)

        def settle(connection: Connection) -> None:
            self._settle(connection, ordered, name)
            for each in ordered:
                self._note(connection, each.token_id, -each.released)
            over = writings.c.made_at < self._seconds() - REMEMBERED_FOR
            connection.execute(writings.delete().where(over))

        return self._database.run(settle)

    def happened(self, name: str) -> Deferred[bool]:
        """
        Whether the transaction of a call was committed; if not, it will not be.

        A server that was paused may still have it before it. The primary key decides: noting that it has not
        happened waits for a transaction that notes that it has, and keeps one that comes later from being committed.
        """
        row = {"id": name, "happened": False, "made_at": self._seconds()}
        denying = self._database.run(lambda connection: connection.execute(writings.insert().values(row)))
        return denying.addCallbacks(lambda _: False, self._noted, errbackArgs=(name,))

    def try_to_write(self) -> Deferred[None]:
        """
        Write something, which goes with the next uses that are written down.

        A full disk is read as well as ever; and SQLite does not write what is the same as before.
        """
        row = {"id": uuid4().hex, "happened": False, "made_at": 0.0}
        trying = self._database.run(lambda connection: connection.execute(writings.insert().values(row)))
        return trying.addCallback(lambda _: None)

    def _noted(self, reason: Failure, name: str) -> Deferred[bool]:
        reason.trap(IntegrityError)
        query = select(writings.c.happened).where(writings.c.id == name)
        return self._database.read(lambda connection: bool(connection.scalar(query)))

    def _settle(self, connection: Connection, settlements: list[Settlement], name: str) -> None:
        write_down(connection, settlements)
        note_written(connection, self.holder, settlements, self._seconds())
        connection.execute(writings.insert().values(id=name, happened=True, made_at=self._seconds()))

    def _note(self, connection: Connection, token_id: str, more: int) -> None:
        """Have it known what this process holds; as much as before is not worth a statement."""
        if more:
            self.has_leased = True
            changed(connection, self.holder, token_id, more, self._seconds())

    async def sign_of_life(self, now: float) -> None:
        """
        Say that this process is there, where it holds leases: those of one that is not are taken for lost.

        Fails if that cannot be written, and says it the next time.
        """
        if not self.has_leased:
            return
        # What is noted meanwhile sets it again.
        self.has_leased, holds = False, True
        try:
            holds = await self._database.run(lambda connection: seen(connection, self.holder, now)) > 0
        finally:
            self.has_leased = self.has_leased or holds

    def increment_cache_hit_count_batch(self, counts: dict[str, int]) -> Deferred[None]:
        if not counts:
            return succeed(None)
        return self._database.run(lambda connection: _add_hits(connection, counts))


def _add_hits(connection: Connection, counts: dict[str, int]) -> None:
    """In one statement, which takes the rows in the order of their ids as L{Usage.settle} does."""
    ids = sorted(counts)
    mine: Any = tokens.c.id.in_(ids)
    if connection.dialect.name == "postgresql":
        # The others find them by the primary key, or have one writer only.
        locked = select(tokens.c.id).where(mine).order_by(tokens.c.id).with_for_update().cte("locked")
        mine = tokens.c.id.in_(select(locked.c.id))
    more = case({token_id: counts[token_id] for token_id in ids}, value=tokens.c.id)
    connection.execute(tokens.update().where(mine).values(cache_hit_count=tokens.c.cache_hit_count + more))


def _lease(connection: Connection, token_id: str, wanted: int, max_lease: int) -> Grant:
    row = connection.execute(_LOCKED, {"token_id": token_id}).first()
    if row is None:
        return Grant(0, refusal=TokenNotFound)
    if not row.is_active:
        return Grant(0, refusal=TokenInactive)
    free = max_lease if row.max_requests is None else row.max_requests - row.request_count - row.leased
    size = lease_size(free, wanted, max_lease)
    if not size:
        return Grant(0, held_elsewhere=row.leased > row.reserved_lost)
    taken = connection.execute(_LEASE, {"token_id": token_id, "size": size})
    return Grant(size if taken.rowcount == 1 else 0)
