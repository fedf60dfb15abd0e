"""
Budgets that machines share by leases, see L{llmproxy.core.limits.leasing}: what was spent of each, and who holds what.

A process says what it holds and has spent, numbered, so that what is said twice, or comes late, changes nothing. Who
changes something of a budget locks its row first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, or_, select
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.limits.leasing import NANO, Answer, Ask, Standing, lease_of
from ..interfaces import IBudgetLeases
from . import bulk
from .schema import budget_leases, budgets
from .together import single

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from .contracts import ITransactions

DAY = 86_400.0

ENDED_FOR = DAY
"""Seconds after the end of its window for which a budget is kept: others may still write to it."""

UNUSED_FOR = 90 * DAY
"""Seconds for which one is kept that nobody met: it begins with what the ledger says then."""

HANDED_BACK_FOR = 2 * DAY
"""Seconds for which a lease is kept of which nothing is left: a process forgets it sooner."""

LARGEST = 2**62
_AT_ONCE = 200


def hash_of(key: str) -> str:
    """What a budget is called here, whatever the length of its key."""
    return blake2b(key.encode(), digest_size=32).hexdigest()


@implementer(IBudgetLeases)
class BudgetLeases:
    """
    @param clock: its C{seconds} are since the epoch.
    @param holder: what this process is called, 32 hexadecimal digits.
    """

    def __init__(self, clock: Any, database: ITransactions, holder: str) -> None:
        self._seconds = clock.seconds
        self._database = database
        self.holder = holder

    def say(self, asks: Sequence[Ask]) -> Deferred[list[Answer | None]]:
        ordered = sorted(range(len(asks)), key=lambda at: (hash_of(asks[at].key), asks[at].begins_at))

        def say(connection: Connection) -> list[Answer | None]:
            answers: list[Answer | None] = [None] * len(asks)
            for at in ordered:
                answers[at] = self._say(connection, asks[at])
            return answers

        return self._database.run(say)

    def begin(self, ask: Ask, spent: int) -> Deferred[Answer | None]:
        amount = min(LARGEST, -(-spent // NANO))
        row = (hash_of(ask.key), _micros(ask.begins_at), _micros(ask.ends_at), amount, 0, amount)
        now = _micros(self._seconds())

        def begin(connection: Connection) -> Answer | None:
            bulk.insert_new(connection, budgets, [(*row, now)])
            return self._say(connection, ask)

        return self._database.run(begin)

    def standing(self, wanted: Sequence[tuple[str, float]]) -> Deferred[list[Standing | None]]:
        keys = [(hash_of(key), begins_at) for key, begins_at in wanted]

        def read(connection: Connection) -> list[Standing | None]:
            found: dict[tuple[str, int | None], Standing] = {}
            for at in range(0, len(keys), _AT_ONCE):
                of_some = or_(*(_is(*each) for each in keys[at : at + _AT_ONCE]))
                for row in connection.execute(select(budgets).where(of_some)):
                    found[row.key, _micros(row.begins_at)] = Standing(row.spent, row.leased)
            return [found.get((key, _micros(begins_at))) for key, begins_at in keys]

        return self._database.read(single(read) if len(keys) <= _AT_ONCE else read)

    def reclaim(self, holder: str, available: Mapping[int, int]) -> Deferred[int | None]:
        return self._database.run(partial(_reclaim, holder, available))

    def forget(self) -> Deferred[Any]:
        now = self._seconds()

        def forget(connection: Connection) -> None:
            for table in (budget_leases, budgets):
                old = [table.c.ends_at < now - ENDED_FOR, table.c.seen_at < now - UNUSED_FOR]
                if table is budget_leases:
                    old[1:] = [and_(table.c.size == 0, table.c.seen_at < now - HANDED_BACK_FOR)]
                connection.execute(delete(table).where(or_(*old)))

        return self._database.run(forget)

    def _say(self, connection: Connection, ask: Ask) -> Answer | None:
        budget = _locked(connection, hash_of(ask.key), ask.begins_at)
        if budget is None:
            return None
        mine = (budget_leases.c.holder == self.holder) & (budget_leases.c.serial == ask.serial)
        lease = connection.execute(select(budget_leases).where(mine)).first()
        size, total = (0, 0) if lease is None else (lease.size, lease.total)
        if lease is not None and lease.turn >= ask.turn:
            return Answer(budget.spent, budget.leased, 0, budget.spent)
        spent = min(LARGEST, budget.spent + ask.total - total)
        leased = max(0, budget.leased + ask.holds - size)
        granted = lease_of(ask.limit - spent - leased, ask.wanted, ask.least) if ask.wanted else 0
        now = self._seconds()
        values = {"turn": ask.turn, "size": ask.holds + granted, "total": ask.total, "seen_at": now}
        if lease is not None:
            connection.execute(budget_leases.update().where(mine).values(values))
        elif ask.holds or ask.total or granted:
            where = {"key": hash_of(ask.key), "begins_at": ask.begins_at, "ends_at": ask.ends_at}
            connection.execute(budget_leases.insert().values(holder=self.holder, serial=ask.serial, **where, **values))
        changed = {"spent": spent, "leased": leased + granted, "warned": max(spent, budget.warned), "seen_at": now}
        connection.execute(budgets.update().where(_is(budget.key, budget.begins_at)).values(changed))
        return Answer(spent, leased + granted, granted, min(spent, budget.warned))


def _reclaim(holder: str, available: Mapping[int, int], connection: Connection) -> int | None:
    """Of what a process held that has died, what it had not reserved is free again; the rest may have been spent."""
    columns = budget_leases.c
    found = connection.execute(select(budget_leases).where(columns.holder == holder)).all()
    if not found:
        return None
    freed = 0
    for lease in sorted(found, key=lambda each: (each.key, each.begins_at)):
        budget = _locked(connection, lease.key, lease.begins_at)
        # Only now is it certain that no transaction of that process is still on its way.
        this = (columns.holder == holder) & (columns.serial == lease.serial)
        size = connection.scalar(select(columns.size).where(this)) or 0
        free = min(size, max(0, available.get(lease.serial, 0)) // NANO)
        if budget is not None:
            values = {"spent": budget.spent + size - free, "leased": max(0, budget.leased - size)}
            connection.execute(budgets.update().where(_is(budget.key, budget.begins_at)).values(values))
            freed += free
        connection.execute(delete(budget_leases).where(this))
    return freed * NANO


def _locked(connection: Connection, key: str, begins_at: float) -> Row[Any] | None:
    return connection.execute(select(budgets).where(_is(key, begins_at)).with_for_update()).first()


def _is(key: str, begins_at: float) -> Any:
    return (budgets.c.key == key) & (budgets.c.begins_at == begins_at)


def _micros(at: float | None) -> int | None:
    return None if at is None else round(at * 1_000_000)
