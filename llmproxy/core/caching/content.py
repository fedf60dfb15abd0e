"""
The content of a stored response: bytes, or the pieces that it came in if it is large.

Joining a large content takes as much memory again, and time in which nothing else goes on; where new memory is dear
(a page fault took 2 µs on the machine of C{tests.benchmarks.caching}) it costs more than everything else of storing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

LARGE = 256 * 1024
"""Bytes; content above this stays in its pieces, and is handed out a little at a time."""

PIECE = 32 * 1024
"""Bytes. Smaller pieces are joined as they come, so that what a piece costs beside its bytes is never much."""

BLOCK = 64 * 1024
"""Bytes that are handed out at once of large content that is in one piece."""

OVERHEAD = 112
"""Bytes that a piece costs beside its own: its object, its end, and two places in tuples."""


class Pieces:
    """
    Immutable content of a length; a slice of it shares its pieces, and C{bytes()} joins them.

    @ivar pieces: none of them is empty.
    @ivar overhead: bytes of memory that it takes beside its length.
    """

    __slots__ = ("_ends", "pieces")

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = tuple(pieces)
        self._ends = tuple(accumulate(map(len, self.pieces)))

    @property
    def overhead(self) -> int:
        return OVERHEAD * len(self.pieces)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Pieces, bytes)):
            return NotImplemented
        return len(self) == len(other) and bytes(self) == bytes(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Pieces of {len(self)} bytes>"

    def __getitem__(self, part: slice) -> Content:
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise ValueError("content has no steps")
        if start >= stop:
            return b""
        ends = self._ends
        first, last = bisect_right(ends, start), bisect_left(ends, stop)
        inside = list(self.pieces[first : last + 1])
        # The last one first: it may be the first one too.
        inside[-1] = inside[-1][: stop - (ends[last] - len(inside[-1]))]
        inside[0] = inside[0][start - (ends[first - 1] if first else 0) :]
        return content_of_pieces(inside)


Content = bytes | Pieces


def content_of_pieces(pieces: Sequence[bytes]) -> Content:
    """Joined, unless it is large."""
    if len(pieces) == 1:
        return pieces[0]
    return Pieces(pieces) if sum(map(len, pieces)) > LARGE else b"".join(pieces)


def blocks(content: Content) -> Iterator[bytes]:
    """All of it, in parts that may be written at once."""
    if isinstance(content, Pieces):
        yield from content.pieces
    else:
        for start in range(0, len(content), BLOCK):
            yield content[start : start + BLOCK]
