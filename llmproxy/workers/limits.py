"""The table of limits that all workers of a machine share, as their parent holds it."""

from __future__ import annotations

import os
from mmap import mmap
from typing import Any

from ..cache.presence import shared_memory
from ..limits.shared import Locked
from ..limits.sharedtable import LimitTable, size_of


class SharedLimitTable:
    """
    The table of several processes, held by their parent.

    @param fd: of one of the same width that the program before has held; C{None} makes another.
    @ivar fd: what a process is given to map it by, and to lock it with.
    """

    def __init__(self, width: int, fd: int | None = None) -> None:
        self.width = width
        self._file: Any = shared_memory(size_of(width)) if fd is None else os.fdopen(fd, "r+b", 0)
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
