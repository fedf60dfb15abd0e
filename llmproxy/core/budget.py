"""A budget of memory that many share: what is taken is given back, and nothing is lent above it."""

from __future__ import annotations


class Budget:
    """
    @param limit: bytes; C{None} is no limit.
    @ivar used: bytes that are taken.
    @ivar peak: the most that was taken at once.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.used = 0
        self.peak = 0

    def lease(self) -> Lease:
        return Lease(self)


class Lease:
    """
    What one holder has taken, so that it can give back all of it at once, and no more than that.

    @ivar size: bytes.
    """

    __slots__ = ("_budget", "size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def take(self, size: int) -> bool:
        """Take C{size} bytes; C{False} if there are not as many left, and then nothing is taken."""
        budget = self._budget
        if budget.limit is not None and budget.used + size > budget.limit:
            return False
        budget.used += size
        budget.peak = max(budget.peak, budget.used)
        self.size += size
        return True

    def give(self, size: int) -> None:
        """Give back a part."""
        size = min(size, self.size)
        self.size -= size
        self._budget.used -= size

    def end(self) -> None:
        """Give back all. Idempotent."""
        self.give(self.size)
