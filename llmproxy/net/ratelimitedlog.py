"""Log lines about what happens again and again, at a bounded rate."""

from __future__ import annotations

from typing import Any

from ..core.lograte import INTERVAL, LogRate


class RateLimitedLog:
    """
    One line for each kind of fault and interval, with how often it happened since the last.

    @param log: has C{warn}.
    @param area: what each line begins with: whose faults they are.
    """

    def __init__(self, clock: Any, log: Any, area: str, interval: float = INTERVAL) -> None:
        self._seconds = clock.seconds
        self._log = log
        self._area = area
        self._rate = LogRate(interval)

    def say(self, kind: str, why: str) -> None:
        """@param kind: one of a few, which are counted apart."""
        count = self._rate.due(kind, self._seconds())
        if count is not None:
            text = "{area}: {kind}: {why} ({count} since it was last said)"
            self._log.warn(text, area=self._area, kind=kind, why=why, count=count)
