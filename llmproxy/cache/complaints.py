"""Saying once in a while what happens all the time."""

from __future__ import annotations

from typing import Any

INTERVAL = 30.0
"""Seconds between two lines about the same kind of fault."""


class Complaints:
    """
    One line for each kind of fault and interval, with how often it happened since the last.

    @param log: has C{warn}.
    """

    def __init__(self, clock: Any, log: Any, interval: float = INTERVAL) -> None:
        self._seconds = clock.seconds
        self._log = log
        self._interval = interval
        self._said_at: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, kind: str, why: str) -> None:
        """@param kind: of a few; what is told apart."""
        count = self._unsaid.get(kind, 0) + 1
        now = self._seconds()
        if now - self._said_at.get(kind, -self._interval) < self._interval:
            self._unsaid[kind] = count
            return
        self._said_at[kind] = now
        self._unsaid[kind] = 0
        self._log.warn("cache: {kind}: {why} ({count} since it was last said)", kind=kind, why=why, count=count)
