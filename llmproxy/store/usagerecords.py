"""
Records of usage: written once, by their ids, and added to the roll-ups in the same transaction.

Whatever is repeated, and by however many processes at once, counts once: a row that stands is neither written nor
rolled up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, DeferredLock
from zope.interface import implementer

from ..core.rollupkeys import Sample, added_up, rolled_up, values_of
from ..core.rollups import DIMENSIONS, OTHER, QUARTER, WIDTHS
from ..core.usagesums import MICRO
from ..interfaces import IUsageRecords
from . import bulk
from .schema import usage_records, usage_rollups
from .usageanswers import counted_once
from .usagemodels import KnownModels
from .usagerows import AT, clean, numbers_in, row_of
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
                # As good as always all of them are new: to look for each of them first takes a fifth of the time.
                write = partial(self._write if attempt == 1 else self._write_new, entries)
                count = await self._database.run(write)
            except IntegrityError:
                # One of them is there: from an attempt whose outcome was not known, or as another process has it.
                if attempt == ATTEMPTS:
                    raise
                continue
            for memory in (self._models, self._values, self._series):
                memory.kept()
            return count
        raise AssertionError("not reached")

    def _write_new(self, entries: list[Entry], connection: Connection) -> int:
        return self._write(_new(connection, entries), connection)

    def _write(self, entries: Iterable[Entry], connection: Connection) -> int:
        """
        Write entries of which none is there.

        @raise IntegrityError: one is.
        """
        by_id = {clean(entry.id, 64): entry for entry in entries}
        if not by_id:
            return 0
        now = self._seconds()
        new = counted_once(connection, [by_id[key] for key in sorted(by_id)], now)
        models = self._models.of(connection, new)
        rows = [row_of(entry, models.get((entry.api, entry.model)), now) for entry in new]
        bulk.insert(connection, usage_records, rows)
        sums = added_up((sample_in(row, entry), numbers_in(row)) for row, entry in zip(rows, new, strict=True))
        roll_up(connection, sums, self._values, self._series)
        return len(rows)


def roll_up(connection: Connection, sums: dict[Sample, Numbers], values: AdmittedValues, series: SeriesNumbers) -> None:
    """Add to the roll-ups, under the values that have a place of their own."""
    shown = values.of(connection, sums)
    if shown:
        sums = added_up((shown.get(sample, sample), numbers) for sample, numbers in sums.items())
    write(connection, sums, series)


def write(connection: Connection, sums: dict[Sample, Numbers], series: SeriesNumbers) -> None:
    """Add to the roll-ups, in the order of their keys."""
    blocks = rolled_up(sums)
    parts = {id(part): part for part in blocks.values()}
    numbers = series.of(connection, (key for part in parts.values() for key in part))
    ordered = {name: sorted((numbers[key], *added) for key, added in part.items()) for name, part in parts.items()}
    rows = ((*block, *row) for block in sorted(blocks) for row in ordered[id(blocks[block])])
    bulk.add(connection, usage_rollups, rows)


def sample_of(entry: Entry, grouped_model: str | None) -> Sample:
    """
    What an entry is rolled up under.

    @param grouped_model: C{None} for its own model.
    """
    return sample_in(row_of(entry, grouped_model, 0.0), entry)


def sample_in(row: Sequence[Any], entry: Entry) -> Sample:
    """
    The same.

    @param row: what it is stored as.
    """
    dimensions = _DIMENSIONS_IN(row)
    if row[_GROUPED] is not None:
        *others, _, served, status = dimensions
        dimensions = (*others, row[_GROUPED], OTHER if served else served, status)
    return Sample(row[_ENDED] // _QUARTER, dimensions, tuple(map(_clean, values_of(entry))))


_DIMENSIONS_IN = itemgetter(*(AT[name] for name in DIMENSIONS))
_GROUPED, _ENDED = AT["grouped_model"], AT["ended_at"]
_QUARTER = WIDTHS[QUARTER] * MICRO


def _clean(value: Value) -> Value:
    return value[0], clean(value[1], 128), clean(value[2], 255)


def _new(connection: Connection, entries: list[Entry]) -> list[Entry]:
    """Those that are not there yet."""
    ids = {clean(entry.id, 64) for entry in entries}
    there: set[str] = set()
    for chunk in bulk.chunks(sorted(ids), 500):
        known = bulk.among(connection.dialect.name, usage_records.c.id, chunk)
        there.update(connection.scalars(select(usage_records.c.id).where(known)))
    return [entry for entry in entries if clean(entry.id, 64) not in there]
