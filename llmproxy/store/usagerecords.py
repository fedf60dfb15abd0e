"""
Records of usage: written once, by their ids, and added to the roll-ups in the same transaction.

Whatever is repeated, and by however many processes at once, counts once: a row that stands is neither written nor
rolled up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, DeferredLock
from zope.interface import implementer

from ..core.rollupkeys import Sample, added_up, rolled_up, values_of
from ..core.rollups import OTHER, QUARTER, WIDTHS
from ..interfaces import IUsageRecords
from . import bulk
from .schema import usage_records, usage_rollups
from .usageanswers import counted_once
from .usagemodels import KnownModels, model_of
from .usagerows import clean, moment_of, rows_of
from .usageseries import SeriesNumbers
from .usagevalues import AdmittedValues

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.ledger.entry import Entry
    from ..core.rollupkeys import Numbers, Value
    from .contracts import ITransactions

BATCH = 2000
"""Entries of one transaction: other writers of SQLite wait for it."""

ATTEMPTS = 100
"""How often a transaction is begun while others settle the same entries; each finds what they have written so far."""


@implementer(IUsageRecords)
class UsageRecords:
    """
    @param clock: its C{seconds} are since the epoch.
    """

    def __init__(self, clock: Any, database: ITransactions) -> None:
        self._seconds = clock.seconds
        self._database = database
        self._models = KnownModels()
        self._values = AdmittedValues()
        self._series = SeriesNumbers()
        # What was seen before is remembered for one transaction at a time.
        self._turn = DeferredLock()

    def settle(self, batch: Sequence[Entry]) -> Deferred[int]:
        """
        Write entries, in any order, any number of times: how many were new.

        Fails as L{llmproxy.store.contracts.ITransactions.run} does; then it is to be repeated, also if the outcome is
        not known.
        """
        return self._turn.run(lambda: self._settle_all(list(batch)))

    def _settle_all(self, batch: list[Entry]) -> Deferred[int]:
        return Deferred.fromCoroutine(self._in_transactions(batch))

    async def _in_transactions(self, batch: list[Entry]) -> int:
        count = 0
        for part in bulk.chunks(batch, BATCH):
            count += await self._settle(part)
        return count

    async def _settle(self, entries: list[Entry]) -> int:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                count = await self._database.run(lambda connection: self._write(connection, entries))
            except IntegrityError:
                # Another process has just written one of them.
                if attempt == ATTEMPTS:
                    raise
                continue
            for memory in (self._models, self._values, self._series):
                memory.kept()
            return count
        raise AssertionError("not reached")

    def _write(self, connection: Connection, entries: list[Entry]) -> int:
        new = _new(connection, entries)
        if not new:
            return 0
        new = counted_once(connection, new, self._seconds())
        models = self._models.of(connection, new)
        named = [(entry, models.get(model_of(entry))) for entry in new]
        bulk.insert(connection, usage_records, rows_of(named, self._seconds()))
        sums = added_up((sample_of(entry, model), entry) for entry, model in named)
        roll_up(connection, sums, self._values, self._series)
        return len(new)


def roll_up(connection: Connection, sums: dict[Sample, Numbers], values: AdmittedValues, series: SeriesNumbers) -> None:
    """Add to the roll-ups, under the values that have a place of their own."""
    shown = values.of(connection, sums)
    merged: dict[Sample, Numbers] = {}
    for sample, numbers in sums.items():
        found = shown.get(sample, sample)
        before = merged.get(found)
        merged[found] = numbers if before is None else tuple(map(int.__add__, before, numbers))
    write(connection, merged, series)


def write(connection: Connection, sums: dict[Sample, Numbers], series: SeriesNumbers) -> None:
    """Add to the roll-ups, in the order of their keys."""
    more = rolled_up(sums)
    numbers = series.of(connection, sorted({key[3] for key in more}))
    rows = sorted((*key[:3], numbers[key[3]], *added) for key, added in more.items())
    bulk.add(connection, usage_rollups, rows)


def sample_of(entry: Entry, grouped_model: str | None) -> Sample:
    """
    What an entry is rolled up under.

    @param grouped_model: C{None} for its own model.
    """
    served = clean(entry.served_model, 255)
    dimensions = (
        clean(entry.project_id, 64),
        clean(entry.token_id, 64),
        clean(entry.api, 64),
        clean(entry.endpoint, 255),
        clean(entry.model, 255) if grouped_model is None else grouped_model,
        OTHER if served and grouped_model is not None else served,
        max(0, min(entry.status, 2**31 - 1)),
    )
    return Sample(int(moment_of(entry) // WIDTHS[QUARTER]), dimensions, tuple(map(_clean, values_of(entry))))


def _clean(value: Value) -> Value:
    return value[0], clean(value[1], 128), clean(value[2], 255)


def _new(connection: Connection, entries: list[Entry]) -> list[Entry]:
    """Those that are not there yet, each once."""
    by_id = {clean(entry.id, 64): entry for entry in entries}
    there: set[str] = set()
    for chunk in bulk.chunks(sorted(by_id), 500):
        known = bulk.among(connection.dialect.name, usage_records.c.id, chunk)
        there.update(connection.scalars(select(usage_records.c.id).where(known)))
    return [entry for key, entry in sorted(by_id.items()) if key not in there]
