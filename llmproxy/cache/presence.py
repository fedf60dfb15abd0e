"""
The presence filter: targets that some process may hold an answer of, read before a removal makes any key.

Each of several processes counts for itself, in a column of one table that all of them see: what it holds, and what it
has on its way. It counts before its request leaves for upstream. Whatever upstream changes after it has answered that
request, it tells of later still; so the process that passes that on finds the count, in whatever process, and no
process has to be asked. RFC 9111 section 4.4.
"""

from __future__ import annotations

import os
import sys
from mmap import mmap
from tempfile import TemporaryFile
from typing import IO
from zlib import crc32

SLOTS = 1 << 16
"""Targets share so many rows; two in one cost a removal in vain. Bytes of a page are taken when needed."""

MOST = 255
"""What a byte counts to. One that has come so far stays there: the target is taken for held from then on."""


class PresenceFilter:
    """
    Answers to GET that may be held, by target: of all APIs and tenants.

    The first row is for whether there is anything at all.

    @param table: of L{size_of} C{width} bytes.
    @param width: how many processes there are.
    @param column: which of them this one is.
    """

    def __init__(self, table: mmap | None = None, width: int = 1, column: int = 0) -> None:
        self._table = mmap(-1, size_of(width)) if table is None else table
        self._width = width
        self._column = column
        self._nothing = bytes(width)
        self._count = 0

    def may_hold(self, target: bytes | None) -> bool:
        """As L{llmproxy.interfaces.ICacheStore.may_hold}, of all processes."""
        at = 0 if target is None else (crc32(target) % SLOTS + 1) * self._width
        return self._table[at : at + self._width] != self._nothing

    def add(self, target: bytes) -> None:
        self._count += 1
        self._table[self._column] = 1
        at = (crc32(target) % SLOTS + 1) * self._width + self._column
        counted = self._table[at]
        if counted < MOST:
            self._table[at] = counted + 1

    def remove(self, target: bytes) -> None:
        """Once for each L{add}."""
        at = (crc32(target) % SLOTS + 1) * self._width + self._column
        counted = self._table[at]
        if counted < MOST:
            self._table[at] = counted - 1
        self._count -= 1
        if not self._count:
            self._table[self._column] = 0


class SharedTable:
    """
    The table of several processes, held by their parent.

    @ivar fd: what a process is given to map it by.
    """

    def __init__(self, width: int) -> None:
        self._file = shared_memory(size_of(width))
        self.fd = self._file.fileno()
        self._table = mmap(self.fd, size_of(width))
        self._width = width

    def clear(self, column: int) -> None:
        """That process is gone, with all that it held."""
        self._table[column :: self._width] = bytes(SLOTS + 1)

    def close(self) -> None:
        """Release it; a second time changes nothing."""
        self._table.close()
        self._file.close()


def of_parent(fd: int, width: int, column: int) -> PresenceFilter:
    """What a process counts in; C{fd} is closed."""
    marks = PresenceFilter(mmap(fd, size_of(width)), width, column)
    os.close(fd)
    return marks


def size_of(width: int) -> int:
    """Bytes of a table for so many processes."""
    return (SLOTS + 1) * width


def shared_memory(size: int) -> IO[bytes]:
    """A file that nobody else can open, in memory where the system has such."""
    linux = sys.platform == "linux"
    file = open(os.memfd_create("llmproxy-marks"), "r+b", buffering=0) if linux else TemporaryFile(buffering=0)  # noqa: SIM115
    file.truncate(size)
    return file
