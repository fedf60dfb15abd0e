"""The time between C{/ready} saying 503 and the ports closing, in which a load balancer takes notice."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed


class DrainDelay:
    """
    Passes once, for all who wait for it, and can be ended before.

    @param seconds: C{0} does not wait at all.
    """

    def __init__(self, clock: Any, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._waiting: list[Deferred[None]] = []
        self._late: Any = None

    def wait(self) -> Deferred[None]:
        """Fires when the time since the first call has passed, or at L{end}."""
        if self._seconds <= 0:
            return succeed(None)
        if self._late is None:
            self._late = self._clock.callLater(self._seconds, self.end)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def end(self) -> None:
        """Wait no longer, now or ever."""
        self._seconds = 0.0
        if self._late is not None and self._late.active():
            self._late.cancel()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)
