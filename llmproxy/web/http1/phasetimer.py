"""How long a channel waits for its client, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...net.timers import Deadline, TimerWheel
    from ..limits import Limits

NOTHING, IDLE, HEAD, BODY, CLOSING, SENDING = range(6)
"""
What a channel waits for: nothing of the client's; the next request; the rest of a head; more of a body that is
wanted; that the client takes what was written and closes; that it takes something, so that more can be written.
"""


class PhaseTimer:
    """
    One place on the wheel for a connection, whatever it waits for.

    It is looked at often enough for every phase to end in time, so that changing the phase moves no deadline.

    @ivar phase: what is waited for now.
    @ivar since: since when, on the wheel's clock.
    @param overdue: called when it has been waited for long enough; and again, if nothing has changed.
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

    def end(self) -> None:
        """Wait no more, and let go of whoever waited."""
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
