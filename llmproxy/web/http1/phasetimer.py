"""The timer of a connection, for everything that it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.persistence import HEAD, IDLE, NOTHING, SENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.clientlimits import Limits
    from ...net.timers import Deadline, TimerWheel

_WHOLE = (HEAD, SENDING)
"""Phases that are not prolonged by each byte."""


class PhaseTimer:
    """
    One place on the wheel for a connection, for all phases.

    It is looked at often enough for every phase to end in time, so that changing the phase moves no deadline.

    @ivar phase: what is waited for now; see L{llmproxy.core.persistence.NOTHING}.
    @ivar since: since when, on the wheel's clock.
    @param overdue: called when that has taken too long; and again, if nothing has changed.
    """

    __slots__ = ("_beat", "_deadline", "_overdue", "_times", "_wheel", "phase", "since")

    def __init__(self, wheel: TimerWheel, limits: Limits, overdue: Callable[[], object]) -> None:
        self._wheel = wheel
        self._overdue = overdue
        times = (limits.idle, limits.head_time, limits.body_silence, limits.closing, limits.send_silence)
        self._times = (None, *times)
        self._beat = min(times)
        self.phase = IDLE
        self.since = wheel.now()
        self._deadline: Deadline | None = wheel.start(self._beat, self._look)

    def wait_for(self, phase: int) -> None:
        """From now on, wait for this."""
        self.phase = phase
        if phase != NOTHING:
            self.since = self._wheel.now()

    def wait_on(self, phase: int) -> None:
        """Wait for this, from now on or, for what has to come whole in its time, since that began."""
        if phase not in _WHOLE or phase != self.phase:
            self.wait_for(phase)

    def end(self) -> None:
        """Wait no more, and drop the reference to the callback."""
        self._overdue = _nobody
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None

    def _look(self) -> None:
        wait = self._beat
        limit = self._times[self.phase]
        if limit is not None:
            left = self.since + limit - self._wheel.now()
            if left <= 0:
                self._overdue()
            else:
                wait = min(wait, left)
        if self._deadline is not None:
            self._deadline = self._wheel.start(wait, self._look)


def _nobody() -> None: ...
