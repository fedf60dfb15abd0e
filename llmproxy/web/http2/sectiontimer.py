"""A timer for field sections that come in several frames: until one has ended, all streams wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...net.timers import Deadline, TimerWheel


class SectionTimer:
    """
    @param seconds: that one section may take, from its first frame.
    @param late: called once if it takes longer.
    """

    __slots__ = ("_deadline", "_late", "_seconds", "_wheel")

    def __init__(self, wheel: TimerWheel, seconds: float, late: Callable[[], object]) -> None:
        self._wheel = wheel
        self._seconds = seconds
        self._late = late
        self._deadline: Deadline | None = None

    def watch(self, within: bool) -> None:
        """
        Start or stop, as needed.

        @param within: a section has begun and not ended.
        """
        if not within:
            self.stop()
        elif self._deadline is None:
            self._deadline = self._wheel.start(self._seconds, self._passed)

    def stop(self) -> None:
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None

    def _passed(self) -> None:
        self._deadline = None
        self._late()
