"""Log lines about what happens again and again, at a bounded rate."""

from __future__ import annotations

from typing import Any

from ..core.lograte import INTERVAL, LogRate


class RateLimitedLog:
    """
    One line for each kind of fault and interval, with how often it happened since the last.

    @param log: has C{warn}.
    """

    def __init__(self, clock: Any, log: Any, interval: float = INTERVAL) -> None:
        self._seconds = clock.seconds
        self._log = log
        self._rate = LogRate(interval)

    def say(self, kind: str, why: str) -> None:
        """@param kind: of a few; what is told apart."""
        count = self._rate.due(kind, self._seconds())
        if count is not None:
            self._log.warn("cache: {kind}: {why} ({count} since it was last said)", kind=kind, why=why, count=count)
