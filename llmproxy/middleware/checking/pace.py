"""The pace at which must come what is held until it is whole, so that nobody keeps memory by a byte now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...net.timers import Deadline, TimerWheel

WINDOW = 10.0
"""Seconds. In each of them so much must come as the rate asks for: a connection that was lost needs some to recover."""


class Pace:
    """
    @param rate: bytes a second.
    @param progress: the bytes that have come; C{None} while nobody waits for them.
    @param late: called once, when too little has.
    """

    def __init__(
        self, wheel: TimerWheel, rate: float, progress: Callable[[], int | None], late: Callable[[], object]
    ) -> None:
        self._wheel = wheel
        self._least = rate * WINDOW
        self._progress = progress
        self._late = late
        self._before: int | None = None
        self._deadline: Deadline | None = None

    def start(self) -> None:
        """Ask for progress from now on; nothing changes if it is asked for already."""
        if self._deadline is None:
            self._before = self._progress()
            self._deadline = self._wheel.start(WINDOW, self._check)

    def end(self) -> None:
        """Ask for none any more. Idempotent."""
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.end()

    def _check(self) -> None:
        self._deadline = None
        before, now = self._before, self._progress()
        if before is not None and now is not None and now - before < self._least:
            self._late()
        else:
            self.start()
