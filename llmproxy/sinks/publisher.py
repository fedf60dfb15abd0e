"""The publisher of records: from the end of an exchange to every sink, off the path of any request."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..core.lograte import LogRate
from ..core.masking import Masking

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from ..interfaces import IRecordSink
    from ..message import Record

FLUSH_AFTER = 0.05
"""Seconds that a record waits at most: short enough for C{tail -f}, long enough to make batches under load."""

MOST_WAITING = 4096
"""Records that wait at most before they are passed on at once."""


_USUAL = Masking()


class Publisher:
    """
    Collects records and passes them to its sinks in batches.

    A sink that raises is reported once an interval, and the others still get the batch. No sink gets a record before
    it was masked, so that none has to know what a secret looks like.

    @param masking: knows the secrets of this process; C{None} for records that are masked when they come.
    @param pending: records of which something is still looked up: none of them is passed on before L{release}.
    @ivar failed: batches that a sink refused.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        sinks: Sequence[IRecordSink],
        report_every: float = 60.0,
        masking: Masking | None = _USUAL,
        pending: Collection[Record] = frozenset(),
    ) -> None:
        self._clock = clock
        self._sinks = tuple(sinks)
        self._masked = None if masking is None else masking.record
        self._waiting: list[Record] = []
        self._most = MOST_WAITING
        self._flushing: IDelayedCall | None = None
        self._reports = LogRate(report_every)
        self._pending = pending
        self._held: set[Record] = set()
        self.failed = 0

    def publish(self, record: Record) -> None:
        """Take a record whose exchange has ended."""
        waiting = self._waiting
        waiting.append(record)
        if len(waiting) >= self._most:
            self.flush()
        elif self._flushing is None:
            self._flushing = self._clock.callLater(FLUSH_AFTER, self._due)

    def release(self, record: Record) -> None:
        """What was looked up of a record is known, or will not be. One that was not published yet is not held."""
        if record in self._held:
            self._held.remove(record)
            self.publish(record)

    def replace(self, sink: IRecordSink, other: IRecordSink) -> None:
        """Pass on to C{other} in the place of C{sink}, which gets what waits still: each record is given to one."""
        self.flush()
        self._sinks = tuple(other if each is sink else each for each in self._sinks)

    def add(self, sink: IRecordSink) -> None:
        """Pass on to one more, what comes from now on."""
        self.flush()
        self._sinks = (*self._sinks, sink)

    def flush(self) -> None:
        """Pass on what waits."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._pass_on()

    def stop(self) -> None:
        """Pass on what waits, and at once what comes later, as a stopped proxy refuses requests: no timer is left."""
        self._most = 0
        self._pending = frozenset()
        self._waiting += self._held
        self._held.clear()
        self.flush()

    def close(self) -> None:
        """The sinks are closed: what comes from now on is dropped."""
        self.stop()
        self._sinks = ()

    def _due(self) -> None:
        self._flushing = None
        self._pass_on()

    def _pass_on(self) -> None:
        records, self._waiting = self._waiting, []
        if self._pending:
            self._held.update(record for record in records if record in self._pending)
            records = [record for record in records if record not in self._held]
        if not records:
            return
        if self._masked is not None:
            for record in records:
                self._masked(record)
        for number, sink in enumerate(self._sinks):
            try:
                sink.record_batch(records)
            except Exception:
                self.failed += 1
                self._report(number)

    def _report(self, number: int) -> None:
        if self._reports.due(number, self._clock.seconds()) is not None:
            self._log.failure("{sink} could not take records; it is tried again", sink=self._sinks[number])
