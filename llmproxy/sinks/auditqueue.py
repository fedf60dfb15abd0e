"""Audit records on their way to one sink: in order, tried until they are kept, counted when they cannot be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from ..core.backoff import delay
from ..core.lograte import LogRate

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from ..core.audit.record import AuditRecord
    from ..interfaces import IAuditSink

MOST_WAITING = 10_000
"""Records that wait for a sink that is away: some 10 MB, and hours of what is audited."""

BATCH = 500
FLUSH_AFTER = 0.01
"""Seconds that a record waits for others: what a kill takes away. While one batch is written the next one gathers."""

RETRY_BASE, RETRY_MOST = 0.5, 30.0
"""Seconds before the first and between later attempts."""

REPORT_EVERY = 60.0
LAST_ATTEMPTS = 3
STOP_WITHIN = 10.0
"""Attempts, and seconds, that a sink gets when the proxy stops."""


class AuditQueue:
    """
    @param lost: makes the record that tells of C{count} lost ones; it stands where they would.
    @ivar written: records that were kept.
    @ivar lost: records that were not, and will not be.
    @ivar failures: attempts that failed.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        sink: IAuditSink,
        lost: Callable[[str, int, float], AuditRecord],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._lost_record = lost
        self._most = most_waiting
        self._waiting: deque[AuditRecord] = deque()
        self._call: IDelayedCall | None = None
        self._writing = False
        self._failed_in_a_row = 0
        self._untold = 0
        self._untold_since = 0.0
        self._reports = LogRate(REPORT_EVERY)
        self._stopping: Deferred[None] | None = None
        self._attempts_left = LAST_ATTEMPTS
        self._deadline: IDelayedCall | None = None
        self._over = False
        self._taken = 0
        self._done = 0
        self._flushes: list[tuple[int, Deferred[None]]] = []
        self.written = 0
        self.lost = 0
        self.failures = 0

    @property
    def name(self) -> str:
        return str(self._sink.name)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(self, record: AuditRecord) -> None:
        """Take a record, or count it as lost if too many wait."""
        if self._over:
            self._lose(1)
            self._report("over", "audit records came after the end of the log ({sink}): {lost} lost", lost=self.lost)
            return
        self._tell_of_lost()
        if len(self._waiting) >= self._most:
            self._lose(1)
            self._report("full", "the audit log ({sink}) is full: {lost} records were lost so far", lost=self.lost)
            return
        self._waiting.append(record)
        self._taken += 1
        if self._call is None and not self._writing:
            self._call = self._clock.callLater(FLUSH_AFTER, self._write)

    def flush(self) -> Deferred[None]:
        """Fires when what waits now is written, or could not be written at once."""
        if self._done >= self._taken:
            return succeed(None)
        flushing: Deferred[None] = Deferred()
        self._flushes.append((self._taken, flushing))
        if not self._writing and not self._failed_in_a_row:
            self._write()
        elif not self._writing:
            self._flushed(everything=True)
        return flushing

    def stop(self) -> Deferred[None]:
        """Write what waits, trying a few times, then close the sink."""
        self._stopping = Deferred()
        stopped = self._stopping
        self._deadline = self._clock.callLater(STOP_WITHIN, self._give_up)
        if not self._writing:
            self._write()
        return stopped

    def _write(self) -> None:
        self._cancel()
        self._tell_of_lost()
        batch = [record for record, _ in zip(self._waiting, range(BATCH), strict=False)]
        if not batch:
            self._idle()
            return
        self._writing = True
        writing = maybeDeferred(self._sink.write, batch)
        writing.addCallbacks(self._kept, self._failed, (len(batch),))
        writing.addErrback(lambda reason: self._log.failure("the audit log is broken", reason))

    def _kept(self, result: object, count: int) -> None:
        if self._over:
            return
        self._writing = False
        self._failed_in_a_row = 0
        self.written += count
        for _ in range(count):
            self._waiting.popleft()
        self._done += count
        self._flushed()
        if self._waiting or self._untold or self._stopping is not None:
            self._write()

    def _failed(self, reason: Failure) -> None:
        if self._over:
            return
        self._writing = False
        self.failures += 1
        self._failed_in_a_row += 1
        why = reason.getErrorMessage()
        self._flushed(everything=True)
        self._report("failed", "the audit log ({sink}) cannot be written: {why}; {waiting} records wait", why=why)
        if self._stopping is not None:
            self._attempts_left -= 1
            if self._attempts_left <= 0:
                self._give_up()
                return
        wait = RETRY_BASE if self._stopping is not None else delay(self._failed_in_a_row, RETRY_BASE, RETRY_MOST)
        self._call = self._clock.callLater(wait, self._write)

    def _give_up(self) -> None:
        self._cancel()
        count = len(self._waiting)
        self._waiting.clear()
        self._flushed(everything=True)
        self._lose(count)
        self._untold = 0
        self._log.error("the audit log ({sink}) lost {count} records at the end", sink=self.name, count=count)
        self._idle()

    def _idle(self) -> None:
        stopping, self._stopping = self._stopping, None
        if stopping is None:
            return
        self._over = True
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        closing: Deferred[Any] = maybeDeferred(self._sink.close)
        closing.addErrback(lambda reason: self._log.failure("the audit log could not be closed", reason))
        closing.addCallback(lambda _: stopping.callback(None))

    def _flushed(self, everything: bool = False) -> None:
        waiting = self._flushes
        self._flushes = [(until, each) for until, each in waiting if until > self._done and not everything]
        for until, each in waiting:
            if until <= self._done or everything:
                each.callback(None)

    def _lose(self, count: int) -> None:
        if not self._untold:
            self._untold_since = self._clock.seconds()
        self.lost += count
        self._untold += count

    def _tell_of_lost(self) -> None:
        if self._untold and len(self._waiting) < self._most:
            count, self._untold = self._untold, 0
            self._waiting.append(self._lost_record(self.name, count, self._untold_since))
            self._taken += 1

    def _cancel(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _report(self, kind: str, form: str, **values: object) -> None:
        if self._reports.due(kind, self._clock.seconds()) is not None:
            self._log.error(form, sink=self.name, waiting=len(self._waiting), **values)
