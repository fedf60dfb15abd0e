"""
Steps of the clock, and what they would do to everything that is to be called later.

Twisted's reactor goes by the time of day. Where that is set back by an hour (by hand, by NTP after a start, a machine
that was resumed), what was to be called in a second is called in an hour: records wait, time limits do not pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from twisted.logger import Logger

LOOKS_EVERY = 1.0
"""Seconds."""

LEAST = 1.0
"""Seconds that a step has; less is set right by slewing, and by nobody noticed."""


class ClockSteps:
    """
    Watches the clock in a thread, which no step delays, and has what waits for a clock that was set back wait no longer
    than it was to.

    @param reactor: one without threads, as tests have, is not watched.
    @param now: the time of day, by which the reactor goes.
    @param steady: a clock that nobody sets.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reactor = reactor
        self._now, self._steady = now, steady
        self._apart = 0.0
        self._stopped = Event()

    def start(self) -> None:
        if hasattr(self._reactor, "callFromThread"):
            self._apart = self._now() - self._steady()
            Thread(target=self._watch, name="clock", daemon=True).start()

    def stop(self) -> None:
        """The thread ends at once; idempotent."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOKS_EVERY):
            self.look()

    def look(self) -> None:
        """See whether the clock was set, in any thread."""
        apart = self._now() - self._steady()
        step, self._apart = apart - self._apart, apart
        if step <= -LEAST:
            self._reactor.callFromThread(self._set_back, -step)

    def _set_back(self, seconds: float) -> None:
        self._log.warn("the clock was set back by {seconds:.0f} s; what waits for it goes on", seconds=seconds)
        now = self._reactor.seconds()
        for call in self._reactor.getDelayedCalls():
            # One that was made since, or for which this was done already, is nearer.
            if call.active() and call.getTime() - now >= seconds - LOOKS_EVERY:
                call.delay(-min(seconds, call.getTime() - now))
