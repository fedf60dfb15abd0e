"""The table of limits that all workers of a machine share, as their parent holds it."""

from __future__ import annotations

from mmap import mmap

from ..cache.presence import shared_memory
from ..limits.shared import Locked
from ..limits.sharedtable import LimitTable, size_of


class SharedLimitTable:
    """
    The table of several processes, held by their parent.

    @ivar fd: what a process is given to map it by, and to lock it with.
    """

    def __init__(self, width: int) -> None:
        self._file = shared_memory(size_of(width))
        self.fd = self._file.fileno()
        self._lock = Locked(self.fd)
        self._map = mmap(self.fd, 0)
        self._cells = memoryview(self._map).cast("q")
        self._table = LimitTable(self._cells, width, 0)

    def clear(self, column: int) -> None:
        """That process is gone, see L{LimitTable.clear}; what it held is cleared even where the lock cannot be had."""
        locked = self._lock.take()
        try:
            self._table.clear(column)
        finally:
            if locked:
                self._lock.give()

    def close(self) -> None:
        """Release it; a second time changes nothing."""
        self._cells.release()
        if not self._map.closed:
            self._map.close()
        self._file.close()
