"""A budget of memory that many share: what is taken is given back, and nothing is lent above it."""

from __future__ import annotations


class Budget:
    """
    Nobody can take all of it from the others: who has one lease may use what there is, who has more of them no more
    than what is left free (the dynamic thresholds of shared buffers in switches: of n who want all, each gets one part
    of n + 1, and one part stays free for who comes next).

    @param limit: bytes; C{None} is no limit.
    @ivar used: bytes that are taken.
    @ivar peak: the most that was taken at once.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.used = 0
        self.peak = 0
        self._of: dict[str, int] = {}

    def lease(self, owner: str = "") -> Lease:
        """
        @param owner: whose leases count together, a project for example; C{""} where there is one owner only.
        """
        return Lease(self, owner)

    def _lends(self, lease: Lease, size: int) -> bool:
        if self.limit is None:
            return True
        free = self.limit - self.used - size
        mine = self._of.get(lease.owner, 0)
        return free >= 0 and (not lease.owner or mine == lease.size or mine + size <= free)

    def _count(self, owner: str, size: int) -> None:
        self.used += size
        self.peak = max(self.peak, self.used)
        if owner:
            mine = self._of.get(owner, 0) + size
            if mine:
                self._of[owner] = mine
            else:
                self._of.pop(owner, None)


class Lease:
    """
    What one holder has taken, so that it can give back all of it at once, and no more than that.

    @ivar size: bytes.
    @ivar owner: see L{Budget.lease}.
    """

    __slots__ = ("_budget", "owner", "size")

    def __init__(self, budget: Budget, owner: str = "") -> None:
        self._budget = budget
        self.owner = owner
        self.size = 0

    def take(self, size: int) -> bool:
        """Take C{size} bytes; C{False} if there are not as many for its owner, and then nothing is taken."""
        budget = self._budget
        if not budget._lends(self, size):
            return False
        budget._count(self.owner, size)
        self.size += size
        return True

    def give(self, size: int) -> None:
        """Give back a part."""
        size = min(size, self.size)
        self.size -= size
        self._budget._count(self.owner, -size)

    def end(self) -> None:
        """Give back all. Idempotent."""
        self.give(self.size)
