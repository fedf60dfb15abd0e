"""The syncing of segments: the disk is made to keep what was written, off the reactor, once in a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from ..net.clockedcall import ClockedCall
from ..net.ratelimitedlog import RateLimitedLog

if TYPE_CHECKING:
    from .journal import Journal

Run = Callable[[Callable[[], Any]], "Deferred[Any]"]
"""Calls a function on a thread."""


class Syncing:
    """
    @param every: seconds; C{None} for when the operating system likes to.
    @ivar failed: attempts that failed.
    """

    _log = Logger()

    def __init__(self, clock: Any, journal: Journal, every: float | None, run: Run) -> None:
        self._journal = journal
        self._every = every
        self._run = run
        self._lock = DeferredLock()
        self._complaints = RateLimitedLog(clock, self._log, "ledger")
        self._loop = ClockedCall(clock, self._tick)
        self.failed = 0

    def start(self) -> None:
        if self._every is not None:
            self._loop.start(self._every, now=False)

    def sync(self) -> Deferred[None]:
        """Fires when the disk has what was written until now; at once where nobody cares. Does not fail."""
        return self._lock.run(lambda: Deferred.fromCoroutine(self._sync()))

    def stop(self) -> Deferred[None]:
        """Once more, and no more after that."""
        if self._loop.running:
            self._loop.stop()
        return self.sync()

    def _tick(self) -> None:
        # The next tick does not wait for a disk that is slow.
        if not self._lock.waiting:
            self.sync()

    async def _sync(self) -> None:
        if self._every is None:
            return
        for segment in self._journal.unsynced():
            segment.dirty = False
            try:
                await self._run(segment.sync)
            except Exception as error:
                segment.dirty = True
                self.failed += 1
                self._complaints.say("fsync", f"the disk did not take what was written: {error}")
