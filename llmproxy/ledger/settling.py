"""The settling of the ledger: what a journal has noted goes into the database, in batches, within a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..core.backoff import delay
from ..net.ratelimitedlog import RateLimitedLog

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from ..core.ledger.entry import Entry
    from ..interfaces import IUsageRecords
    from .journal import Batch, Journal

SETTLE_AFTER = 0.25
"""Seconds that an exchange waits which has ended, if the database is there: what it takes has to be below a second."""

MANY = 200
MANY_AFTER = 0.5
"""Seconds likewise after a batch of many: the more are written together, the less each of them takes."""

MOST_AT_ONCE = 2000
"""Exchanges in one transaction: it is short for others who wait for the database."""

READ_AT_ONCE = 500
"""Of those so many are read before others in this process have their turn."""

MOST_BETWEEN = 15.0
"""Seconds between two attempts, where the database has been away for a while."""

TRIED = 3
"""How often a batch is tried as one, before it is tried one exchange after the other."""

GIVES_UP = 5
"""Exchanges in a row that are refused one after the other, before it counts as the database's fault."""


class Settling:
    """
    @param written: writes down the uses of tokens; a segment is removed when those in it are.
    @ivar refused: exchanges that the database does not take, while it takes others: they are lost.
    @ivar failures: attempts in a row that have failed.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        journal: Journal,
        records: IUsageRecords,
        written: Callable[[], Deferred[Any]],
        synced: Callable[[], Deferred[Any]],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._records = records
        self._written = written
        self._synced = synced
        self._lock = DeferredLock()
        self._call: IDelayedCall | None = None
        self._stopped = False
        self._after = SETTLE_AFTER
        self._complaints = RateLimitedLog(clock, self._log, "ledger")
        self.refused = 0
        self.failures = 0

    def wake(self) -> None:
        """An exchange has ended."""
        if self._call is None and not self._stopped:
            self._call = self._clock.callLater(max(self._after, self._pause()), self._due)

    def flush(self) -> Deferred[None]:
        """
        Have the database get everything that has ended until now. Fails with what the database fails with; all that it
        did not get stays where it is, and is tried again.
        """
        return self._lock.run(lambda: Deferred.fromCoroutine(self._flush()))

    def stop(self) -> None:
        """Nothing is tried again."""
        self._stopped = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _due(self) -> None:
        self._call = None
        self.flush().addErrback(self._failed)

    def _failed(self, reason: Any) -> None:
        if not reason.check(CancelledError):
            words = "exchanges wait for the database, which did not take them; they are tried again"
            self._complaints.say("settle", f"{self._journal.waiting} {words} ({reason.getErrorMessage()})")
        self.wake()

    def _pause(self) -> float:
        return delay(self.failures, SETTLE_AFTER, MOST_BETWEEN)

    async def _flush(self) -> None:
        journal = self._journal
        try:
            while (batch := await self._next()) is not None:
                await self._keep(batch.entries)
                journal.settled(batch)
                self.failures = 0
                count = len(batch.entries)
                self._after = MANY_AFTER if count >= MANY else SETTLE_AFTER
                if count < MOST_AT_ONCE:
                    # What has ended meanwhile has its turn with what ends after it.
                    break
            await self._tidy()
        except Exception:
            self.failures += 1
            raise

    async def _next(self) -> Batch | None:
        """All that has ended, or as much as goes into one transaction."""
        wanted = READ_AT_ONCE
        batch = self._journal.unsettled(wanted)
        while batch is not None and len(batch.entries) == wanted < MOST_AT_ONCE:
            await deferLater(self._clock, 0, lambda: None)
            wanted = min(wanted + READ_AT_ONCE, MOST_AT_ONCE)
            self._journal.unsettled(wanted, batch)
        return batch

    async def _keep(self, entries: Sequence[Entry]) -> None:
        if self.failures < TRIED or len(entries) == 1:
            await self._records.settle(entries)
            return
        refused: list[tuple[Entry, Exception]] = []
        taken = 0
        for entry in entries:
            try:
                await self._records.settle([entry])
                taken += 1
            except Exception as error:
                refused.append((entry, error))
                if not taken and len(refused) >= GIVES_UP:
                    raise
        if not taken:
            raise refused[0][1]
        self._refuse(refused)

    def _refuse(self, refused: list[tuple[Entry, Exception]]) -> None:
        self.refused += len(refused)
        for entry, error in refused:
            why = f"the database does not take the exchange {entry.id}, which is lost: {error}"
            self._complaints.say("refused", why)

    async def _tidy(self) -> None:
        """Remove the segments that nobody needs, once the uses in them are written down and what follows is synced."""
        spent = self._journal.spent()
        if not spent:
            return
        await self._written()
        await self._synced()
        for segment in spent:
            self._journal.remove(segment)
