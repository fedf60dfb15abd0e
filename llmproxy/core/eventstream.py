"""
Documents in a stream, parted as their bytes come, cut anywhere: the events of C{text/event-stream}, and lines.

Most of them are of no interest, and come whole: a piece of a stream in which nothing is wanted costs one search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

LONGEST = 64 * 1024
"""Bytes of a document that are held until its end; a longer one is passed on as it comes."""

_TAIL = 4096
"""Bytes that are kept of the last document."""

_HEAD = 1024
"""Of them, those of its beginning."""


class Scan(Protocol):
    """What takes a long document in pieces."""

    def feed(self, data: bytes) -> None: ...

    def reset(self) -> None: ...


class Lines:
    """
    Documents of one line each; one may have a record separator in front (RFC 7464).

    @param wanted: searches a piece for what a document of interest has.
    @param take: called with each document of interest, and with all until it says that it wants no others.
    @param scan: takes those that are longer than L{LONGEST}.
    """

    __slots__ = ("_held", "_is_eager", "_is_idle", "_is_long", "_last", "_scan", "_take", "_wanted")

    SEPARATOR: ClassVar[bytes] = b"\n"
    ENDS: ClassVar[tuple[bytes, ...]] = (b"\n",)

    def __init__(self, wanted: Callable[[bytes], Any], take: Callable[[bytes], bool], scan: Scan) -> None:
        self._wanted = wanted
        self._take = take
        self._scan = scan
        self._held = bytearray()
        self._is_long = self._is_idle = False
        self._is_eager = True
        self._last = b""

    def feed(self, data: bytes) -> None:
        if self._is_idle and data.endswith(self.ENDS) and not self._wanted(data):
            self._last = data if len(data) <= _TAIL else _ends_of(self._last_of(data))
        else:
            self._split(data)
            self._is_idle = not (self._held or self._is_long or self._is_eager)

    def end(self) -> None:
        """The document that is open ends here."""
        if self._is_long:
            self._is_long = False
            self._scan.reset()
        elif self._held:
            self._whole(bytes(self._held))
        self._held.clear()

    def last(self) -> bytes:
        """The beginning and the end of the last document that was whole, and what has come since."""
        text = self._last.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return text.rstrip(b"\n").rpartition(self.SEPARATOR)[2] + bytes(self._held)

    def _split(self, data: bytes) -> None:
        *whole, rest = data.split(self.SEPARATOR)
        for piece in whole:
            if self._held or self._is_long:
                self._add(piece)
                self.end()
            else:
                self._whole(piece)
        if rest:
            self._add(rest)

    def _whole(self, piece: bytes) -> None:
        if not piece:
            return
        self._last = piece if len(piece) <= _TAIL else _ends_of(piece)
        if self._is_eager or self._wanted(piece):
            document = self._document(piece)
            if document:
                self._is_eager = self._take(document)

    def _last_of(self, data: bytes) -> bytes:
        return data[max(data.rfind(end, 0, -len(end)) for end in self.ENDS) + 1 :]

    def _document(self, piece: bytes) -> bytes:
        return piece.strip(b"\x1e \t\r")

    def _add(self, piece: bytes) -> None:
        if not self._is_long:
            self._held += piece
            if len(self._held) <= LONGEST:
                return
            piece = bytes(self._held)
            self._is_long, self._is_eager = True, False
            self._last = piece[:_HEAD]
        self._scan.feed(piece)
        self._last = self._last[:_HEAD] + (self._last[_HEAD:] + piece[_HEAD - _TAIL :])[_HEAD - _TAIL :]
        # The last byte tells whether an empty line follows.
        self._held[:] = piece[-1:] if piece.endswith(b"\n") else b""


def _ends_of(document: bytes) -> bytes:
    return document[:_HEAD] + document[_HEAD - _TAIL :]


class Events(Lines):
    """The data of events, HTML section 9.2.6: an event ends with an empty line, and its lines of data are joined."""

    __slots__ = ("_after_cr",)

    SEPARATOR = b"\n\n"
    ENDS = (b"\n\n", b"\r\n\r\n")

    def __init__(self, wanted: Callable[[bytes], Any], take: Callable[[bytes], bool], scan: Scan) -> None:
        super().__init__(wanted, take, scan)
        self._after_cr = False

    def _split(self, data: bytes) -> None:
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        if self._held.endswith(b"\n") and data.startswith(b"\n"):
            self.end()
            data = data[1:]
        super()._split(data)

    def _document(self, piece: bytes) -> bytes:
        if piece.startswith(b"data:") and piece.find(b"\n") < 0:
            return piece[5:]
        return b"\n".join([line[5:] for line in piece.split(b"\n") if line.startswith(b"data:")])

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr:
            data = b"\r" + data
        self._after_cr = data.endswith(b"\r")
        return data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
