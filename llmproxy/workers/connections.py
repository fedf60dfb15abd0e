"""
Connections that all workers count together, as their limits are those of the whole proxy.

Each worker writes only what it has itself, into a column of its own in memory that all of them see, and adds up the
columns: nobody is asked or waited for. It counts a connection before it looks whether that is one too many, so that two
workers never let in one each for the last place; both may turn one away.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from mmap import mmap

from ..cache.presence import shared_memory

SITES = 2
"""Clients' ports and those of management, each with limits of its own; a row for each, for all their connections."""

OPEN = SITES
"""The row that says who takes connections."""

FIRST_ROW = OPEN + 1
"""Of those for addresses."""

SLACK = 2
"""Connections that one worker may have more than another without being ahead of it, and an eighth of its own."""

ROWS = 1 << 18
"""
Rows for addresses, where those are limited. An address has three of them, by a hash that no client knows, and the
least of the three is its number: too high a number takes others in all three. With 5,000 clients at once that is one
address in 5,000; no number is too low.
"""

CELL = 4
"""Bytes of a number."""


class ConnectionTable:
    """
    The table of several workers, held by their parent.

    @param by_client: whether addresses are limited, and counted.
    @ivar fd: what a worker is given to map it by.
    @ivar key: of the hash.
    """

    def __init__(self, width: int, by_client: bool) -> None:
        self._width = width
        self._rows = FIRST_ROW + ROWS * by_client
        self._file = shared_memory(self._rows * width * CELL)
        self.fd = self._file.fileno()
        self._table = mmap(self.fd, 0)
        self.key = os.urandom(16)

    def clear(self, column: int) -> None:
        """That worker is gone, with all its connections."""
        with memoryview(self._table) as table, table.cast("I") as cells, memoryview(bytes(self._rows * CELL)) as zeros:
            cells[column :: self._width] = zeros.cast("I")

    def close(self) -> None:
        """Release it; a second time changes nothing."""
        self._table.close()
        self._file.close()


class SharedConnections:
    """
    Those of all workers; see L{llmproxy.web.connections.Connections}.

    @param cells: the table.
    @param width: how many workers there are.
    @param column: which of them this one is.
    @param site: which of L{SITES} it is about.
    @param key: of the hash.
    """

    def __init__(self, cells: memoryview, width: int, column: int, site: int, key: bytes) -> None:
        self._cells = cells
        self._width = width
        self._column = column
        self._hash = blake2b(digest_size=12, key=key, person=bytes([site]))
        self._site = site
        self._rows = len(cells) // width - FIRST_ROW

    def add(self, client: str) -> tuple[int, int]:
        return self._count(self._site, 1), min((self._count(row, 1) for row in self._rows_of(client)), default=0)

    def remove(self, client: str) -> None:
        self._count(self._site, -1)
        for row in self._rows_of(client):
            self._count(row, -1)

    def take(self, takes: bool) -> None:
        """Tell the others whether this worker takes connections."""
        self._cells[OPEN * self._width + self._column] = takes

    def is_ahead(self) -> bool:
        mine = self._row(self._site)[self._column]
        others = [count for count, takes in zip(self._row(self._site), self._row(OPEN), strict=True) if takes]
        return bool(others) and mine > min(others) + SLACK + mine // 8

    def _row(self, row: int) -> memoryview:
        return self._cells[row * self._width : (row + 1) * self._width]

    def _count(self, row: int, more: int) -> int:
        """Change our own number in a row; what all of them in it come to."""
        self._cells[row * self._width + self._column] += more
        return sum(self._row(row))

    def _rows_of(self, client: str) -> set[int]:
        if not self._rows:
            return set()
        hashing = self._hash.copy()
        hashing.update(client.encode())
        digest = hashing.digest()
        return {FIRST_ROW + int.from_bytes(digest[at : at + 4], "big") % self._rows for at in (0, 4, 8)}


def shared_connections(fd: int, width: int, column: int, key: str) -> list[SharedConnections]:
    """What a worker counts in, for each of L{SITES}; C{fd} is closed."""
    cells = memoryview(mmap(fd, 0)).cast("I")
    os.close(fd)
    return [SharedConnections(cells, width, column, site, bytes.fromhex(key)) for site in range(SITES)]
