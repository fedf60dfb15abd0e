"""A buffer of bytes that arrive in pieces: however small they are, it takes little more than their size."""

from __future__ import annotations

PIECE = 32 * 1024
"""Bytes. Smaller pieces are joined as they come: an object of one byte takes forty."""


class Gathered:
    """
    @ivar size: bytes that are held.
    """

    __slots__ = ("_pieces", "_tail", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._tail = bytearray()
        self.size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if len(data) >= PIECE:
            self._flush()
            self._pieces.append(data)
        else:
            self._tail += data
            if len(self._tail) >= PIECE:
                self._flush()

    def take(self) -> list[bytes]:
        """All of it, of which nothing is held any more."""
        self._flush()
        pieces, self._pieces = self._pieces, []
        self.size = 0
        return pieces

    def joined(self) -> bytes:
        """The same in one piece."""
        pieces = self.take()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def clear(self) -> None:
        self._pieces = []
        self._tail = bytearray()
        self.size = 0

    def _flush(self) -> None:
        if self._tail:
            self._pieces.append(bytes(self._tail))
            self._tail = bytearray()
