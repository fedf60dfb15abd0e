"""Memory that was freed, given back to the system: the C library keeps it otherwise, for as long as a process lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .timers import Deadline, TimerWheel

LEAST = 1024 * 1024
"""Bytes. Less than this is soon used again."""

SOON = 0.2
"""Seconds in which more may be freed, so that a burst is given back at once: it takes some milliseconds for 100 MiB."""


def malloc_trim() -> None:
    """Give back what is free, also between what is in use. Only glibc has it; elsewhere it does nothing."""
    try:
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
    except (ImportError, OSError, AttributeError):
        return


class Trimming:
    """
    @param trim: what gives back.
    """

    def __init__(self, wheel: TimerWheel, trim: Callable[[], object] = malloc_trim) -> None:
        self._wheel = wheel
        self._trim = trim
        self._freed = 0
        self._deadline: Deadline | None = None

    def freed(self, size: int) -> None:
        """So many bytes are used no longer."""
        self._freed += size
        if self._freed >= LEAST and self._deadline is None:
            self._deadline = self._wheel.start(SOON, self._run)

    def _run(self) -> None:
        self._deadline = None
        self._freed = 0
        self._trim()
