"""The bytes that events in memory take, counted by batches: most events have no content, and are all alike."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..core.events.policy import PLAIN_SIZE


class HeldBytes:
    """
    @ivar total: of those that are there.
    """

    def __init__(self) -> None:
        # How many, and how large each of them is.
        self._sizes: deque[list[int]] = deque()
        self.total = 0

    @staticmethod
    def of(count: int, sizes: Sequence[int] | None) -> int:
        """What so many would take; C{sizes} is C{None} if none has content."""
        return count * PLAIN_SIZE if sizes is None else sum(sizes)

    def add(self, count: int, sizes: Sequence[int] | None) -> None:
        """So many have come, behind the others."""
        if sizes is None:
            self._sizes.append([count, PLAIN_SIZE])
        else:
            self._sizes.extend([1, size] for size in sizes)
        self.total += self.of(count, sizes)

    def left(self, count: int) -> None:
        """So many have left, the first ones."""
        while count:
            first = self._sizes[0]
            some = min(count, first[0])
            self.total -= some * first[1]
            first[0] -= some
            count -= some
            if not first[0]:
                self._sizes.popleft()

    def room(self, most: int, count: int, sizes: Sequence[int] | None) -> int:
        """How many of the first of C{count} fit within C{most} bytes."""
        free = most - self.total
        if sizes is None:
            return max(0, min(count, free // PLAIN_SIZE))
        for number, size in enumerate(sizes[:count]):
            free -= size
            if free < 0:
                return number
        return count
