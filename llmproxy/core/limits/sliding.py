"""
Sums that slide: amounts of the last minute, added up.

Seconds are the grain: an amount counts from when it came to the end of the second that is a window later. So no span of
a window's length, wherever it begins, holds more than the limit; a fixed window would let twice as much through around
its border, and a bucket that refills (GCRA) twice as much within the window that follows a full one.
"""

from __future__ import annotations

from collections import deque

WINDOW = 60
"""Seconds."""


class SlidingSum:
    """
    One of them. Moments are seconds of any clock that does not go back, sums whole numbers.

    @ivar seconds: those in which something was counted, in their order.
    @ivar amounts: what that was.
    @ivar last: the last of those seconds; C{None} for none.
    @ivar total: what counts, as of the moment that was seen last.
    """

    __slots__ = ("amounts", "last", "seconds", "total")

    def __init__(self) -> None:
        self.seconds: deque[int] = deque()
        self.amounts: deque[int] = deque()
        self.last: int | None = None
        self.total = 0

    def at(self, now: float) -> int:
        """What counts now."""
        last = int(now) - WINDOW
        seconds = self.seconds
        while seconds and seconds[0] < last:
            seconds.popleft()
            self.total -= self.amounts.popleft()
        if not seconds:
            self.last = None
        return self.total

    def take(self, amount: int, limit: int, now: float) -> bool:
        """Count C{amount} from now on, if it fits below C{limit}; whether it does."""
        # What has passed makes it only less.
        if self.total + amount > limit and self.at(now) + amount > limit:
            return False
        if self.last == int(now):
            # As add() does.
            self.amounts[-1] += amount
            self.total += amount
        else:
            self.add(amount, now)
        return True

    def add(self, amount: int, now: float) -> None:
        """Count C{amount} from now on."""
        second = int(now)
        if self.last is not None and self.last >= second:
            self.amounts[-1] += amount
        else:
            # Once a second: what has passed is forgotten, whether anybody asks or not.
            self.at(now)
            self.seconds.append(second)
            self.amounts.append(amount)
            self.last = second
        self.total += amount

    def take_back(self, amount: int) -> None:
        """Undo what was counted last, in the same moment."""
        self.total -= amount
        self.amounts[-1] -= amount
        if not self.amounts[-1]:
            # As if nobody had asked: what counts last decides when nothing does any more.
            self.seconds.pop()
            self.amounts.pop()
            self.last = self.seconds[-1] if self.seconds else None

    def change(self, amount: int, since: float, now: float) -> None:
        """
        What was counted at C{since} turns out to be C{amount} more, or less: it counts as long as if that had been
        known then. What has passed is not changed any more, but for what comes above it, which counts from now on.
        """
        second = int(since)
        if self.last == second and now < second + WINDOW:
            # As most: it began within the second that was counted last.
            self.amounts[-1] += amount
            self.total += amount
            return
        self.at(now)
        for index in range(len(self.seconds) - 1, -1, -1):
            if self.seconds[index] == second:
                self.amounts[index] += amount
                self.total += amount
                return
            if self.seconds[index] < second:
                break
        if amount > 0:
            self.add(amount, now)

    def wait(self, amount: int, limit: int, now: float) -> float | None:
        """
        How long it takes until C{amount} more fits below C{limit}: 0 if it does now, C{None} if it never will.
        """
        total = self.at(now)
        if total + amount <= limit:
            return 0.0
        if amount > limit:
            return None
        for second, one in zip(self.seconds, self.amounts, strict=True):
            total -= one
            if total + amount <= limit:
                return second + WINDOW + 1 - now
        return None

    def empties_at(self) -> float | None:
        """When nothing counts any more; C{None} if nothing does."""
        return float(self.seconds[-1] + WINDOW + 1) if self.seconds else None
