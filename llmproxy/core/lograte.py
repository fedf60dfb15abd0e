"""The rate of log lines about what happens again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

INTERVAL = 30.0
"""Seconds between two lines about the same kind of event."""

MOST_KINDS = 1000


class LogRate:
    """
    One line for each kind of event and interval, and how many events had none since the line before.

    @param interval: seconds.
    @param most_kinds: above it, the one that was spoken of longest ago is forgotten.
    """

    def __init__(self, interval: float = INTERVAL, most_kinds: int = MOST_KINDS) -> None:
        self._interval = interval
        self._most_kinds = most_kinds
        # When a line was written, and the events since then.
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def due(self, kind: Hashable, now: float) -> int | None:
        """
        Count an event.

        @param now: seconds of any steady clock.
        @return: how many events there were since the last line, this one included, if a line is due; C{None} if not.
        """
        written, count = self._kinds.get(kind, (None, 0))
        if written is not None and now - written < self._interval:
            self._kinds[kind] = (written, count + 1)
            return None
        self._kinds[kind] = (now, 0)
        self._kinds.move_to_end(kind)
        if len(self._kinds) > self._most_kinds:
            self._kinds.popitem(last=False)
        return count + 1
