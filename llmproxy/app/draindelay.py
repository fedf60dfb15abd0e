"""The time between C{/ready} saying 503 and the ports closing, in which a load balancer takes notice."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed


class DrainDelay:
    """
    Waits once, and can be told to wait no longer.

    @param seconds: C{0} does not wait at all.
    """

    def __init__(self, clock: Any, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._waiting: Deferred[None] | None = None
        self._late: Any = None

    def wait(self) -> Deferred[None]:
        """Fires when the time has passed, or at L{end}."""
        if self._seconds <= 0:
            return succeed(None)
        self._waiting = Deferred()
        self._late = self._clock.callLater(self._seconds, self.end)
        return self._waiting

    def end(self) -> None:
        """Wait no longer, now or ever."""
        self._seconds = 0.0
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            if self._late.active():
                self._late.cancel()
            waiting.callback(None)
