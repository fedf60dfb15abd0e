"""
The retention of single records of usage: those that ended long enough ago are removed, and their sums stay.

How many values such a day has had is forgotten with them. Which answers were counted is remembered as long as anybody
could fetch them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, delete, literal, select, type_coerce

from ..core.rollups import DAY, WIDTHS
from ..core.usagesums import MICRO
from . import bulk
from .duty import Duty
from .schema import settings, usage_answers, usage_records, usage_values
from .usageanswers import KEPT_FOR
from .usageends import KEPT_SINCE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .database import Database

BATCH = 1000
"""Records that one transaction removes."""

MOST_BATCHES = 200
"""Transactions of one round; what is left goes in the next."""

_MOMENT: Any = type_coerce(usage_records.c.ended_at, BigInteger)


class UsageRetention(Duty):
    """
    @param keep: seconds for which a record stays after its exchange has ended; C{None} for ever.
    """

    def __init__(self, clock: Any, database: Database, keep: float | None) -> None:
        super().__init__(clock, database, "usage", self.clear)
        self._keep = keep

    async def clear(self) -> None:
        now = self._seconds()
        await self._database.run(
            lambda connection: connection.execute(
                delete(usage_answers).where(usage_answers.c.noted_at < now - KEPT_FOR)
            )
        )
        if self._keep is not None:
            await self._remove(now - self._keep)

    async def _remove(self, before: float) -> None:
        statement = partial(remove, before=before)
        for _ in range(MOST_BATCHES):
            if self.stopping or not await self._database.run(statement):
                break
        over = int(before // WIDTHS[DAY])
        await self._database.run(
            lambda connection: connection.execute(delete(usage_values).where(usage_values.c.day < over))
        )


def remove(connection: Connection, *, before: float) -> bool:
    """
    Remove records, and note from when on there are all of them; whether there may be more.

    @param before: seconds since the epoch.
    """
    old = literal(round(before * MICRO), BigInteger) > _MOMENT
    query = select(usage_records.c.id).where(old).order_by(usage_records.c.ended_at, usage_records.c.id).limit(BATCH)
    ids = list(connection.scalars(query))
    if ids:
        _note(connection, before)
    for chunk in bulk.chunks(sorted(ids), 500):
        connection.execute(delete(usage_records).where(bulk.among(connection.dialect.name, usage_records.c.id, chunk)))
    return len(ids) == BATCH


def _note(connection: Connection, before: float) -> None:
    mine = settings.c.name == KEPT_SINCE
    found = connection.scalar(select(settings.c.value).where(mine))
    if found is None:
        connection.execute(settings.insert().values(name=KEPT_SINCE, value=f"{before:.6f}"))
    elif float(found) < before:
        connection.execute(settings.update().where(mine).values(value=f"{before:.6f}"))
