"""
Documents in a stream, parted as their bytes come, cut anywhere: the events of C{text/event-stream}, and lines.

Most of them are of no interest, and come whole: a piece of a stream in which nothing is wanted costs one search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar, Protocol

from .fields import CR

LONGEST = 64 * 1024
"""Bytes of a document that are held until its end; a longer one is passed on as it comes."""

_TAIL = 4096
"""Bytes that are kept of the last document."""

_HEAD = 1024
"""Of them, those of its beginning."""

_AT_ONCE = 8
"""Documents of interest that are taken as they come; of later ones the last few are, when the stream ends."""

_LATEST = 4
"""
How many of the latter. What stands on every event is the sum until then; and where several kinds of documents are of
interest, those that come once come at the end.
"""


Search = Callable[[bytes], object]
"""Finds something in a document that is of interest: what it answers is true then."""


class Scan(Protocol):
    """What takes a long document in pieces."""

    def feed(self, data: bytes) -> None: ...

    def reset(self) -> None: ...


class Lines:
    """
    Documents of one line each; one may have a record separator in front (RFC 7464).

    @param wanted: searches a piece for what a document of interest has, wherever it stands.
    @param wanted_last: searches one of the last few documents for what is of interest there.
    @param take: called with documents of interest, and with all until it says that it wants no others. Of many
        documents of interest it gets the first and the last few.
    @param scan: takes those that are longer than L{LONGEST}.
    """

    __slots__ = (
        "_ends",
        "_held",
        "_is_eager",
        "_is_idle",
        "_is_long",
        "_latest",
        "_recent",
        "_scan",
        "_take",
        "_taken",
        "_wanted",
        "_wanted_last",
    )

    SEPARATOR: ClassVar[bytes] = b"\n"
    ENDS: ClassVar[tuple[bytes, ...]] = (b"\n",)

    def __init__(self, wanted: Search, wanted_last: Search, take: Callable[[bytes], bool], scan: Scan) -> None:
        self._wanted = wanted
        self._wanted_last = wanted_last
        self._take = take
        self._scan = scan
        self._held = bytearray()
        self._is_long = self._is_idle = False
        self._is_eager = True
        self._taken = 0
        self._latest: deque[bytes] = deque(maxlen=_LATEST)
        # What came last, as it came, each with at least one document.
        self._recent: deque[bytes] = deque(maxlen=_LATEST)
        self._ends = b""

    def feed(self, data: bytes) -> None:
        if self._is_idle and len(data) <= _TAIL and data.endswith(self.ENDS):
            if not self._wanted(data):
                self._recent.append(data)
                return
            if self._taken >= _AT_ONCE and self._is_one(data):
                self._recent.append(data)
                self._latest.append(data)
                return
        self._split(data)
        self._is_idle = not (self._held or self._is_long or self._is_eager)

    def end(self) -> None:
        """The stream ends here, and so does the document that is open."""
        self._close()
        latest, recent = [*self._latest], self._last_few()
        self._latest.clear()
        for piece in latest:
            self._take(self._document(piece))
        for piece in recent:
            if not self._wanted(piece) and self._wanted_last(piece):
                self._take(self._document(piece))

    def last(self) -> bytes:
        """The beginning and the end of the last document that was whole, and what has come since."""
        return b"".join(self._last_few()[-1:]) + bytes(self._held)

    def _last_few(self) -> list[bytes]:
        recent = self._normal(b"".join(self._recent))
        return [piece for piece in recent.split(self.SEPARATOR) if piece.strip(b"\n")][-_LATEST:]

    def _close(self) -> None:
        """The document that is open ends here."""
        if self._is_long:
            self._is_long = False
            self._note(self._ends)
            self._scan.reset()
        elif self._held:
            self._whole(bytes(self._held))
        self._held.clear()

    def _split(self, data: bytes) -> None:
        *whole, rest = data.split(self.SEPARATOR)
        if whole and (self._held or self._is_long):
            self._add(whole.pop(0))
            self._close()
        if whole:
            self._several(whole, data)
        if rest:
            self._add(rest)

    def _several(self, pieces: list[bytes], data: bytes) -> None:
        """Take what is of interest in documents that came together, in C{data}."""
        number = 0
        if self._is_eager or len(data) > LONGEST or self._wanted(data):
            for number, piece in enumerate(pieces, 1):
                self._whole(piece)
                if self._taken >= _AT_ONCE and not self._is_eager:
                    self._latest_of(pieces[number:])
                    break
        for piece in pieces[number:][-_LATEST:]:
            self._note(piece)

    def _latest_of(self, pieces: list[bytes]) -> None:
        """Of many documents the last few that are of interest."""
        found: list[bytes] = []
        for piece in reversed(pieces):
            if self._wanted(piece):
                found.append(piece)
                if len(found) == _LATEST:
                    break
        self._latest.extend(reversed(found))

    def _whole(self, piece: bytes) -> None:
        self._note(piece)
        is_wanted = self._wanted(piece)
        if is_wanted and self._taken >= _AT_ONCE and not self._is_eager:
            self._latest.append(piece)
        elif is_wanted or self._is_eager:
            document = self._document(piece)
            if document:
                self._taken += bool(is_wanted)
                self._is_eager = self._take(document)
        elif len(piece) > LONGEST:
            # As one that came in pieces.
            self._scan.feed(piece)
            self._scan.reset()

    def _note(self, piece: bytes) -> None:
        if piece.strip(b"\n"):
            self._recent.append((piece if len(piece) <= LONGEST else _ends_of(piece)) + self.SEPARATOR)

    @staticmethod
    def _normal(data: bytes) -> bytes:
        """With a line feed at the end of each line."""
        return data

    def _is_one(self, data: bytes) -> bool:
        """Whether it is one document, of which it has the end."""
        return data.count(b"\n") == 1

    def _document(self, piece: bytes) -> bytes:
        return piece.strip(b"\x1e \t\r\n")

    def _add(self, piece: bytes) -> None:
        if not self._is_long:
            self._held += piece
            if len(self._held) <= LONGEST:
                return
            piece = bytes(self._held)
            self._is_long, self._is_eager = True, False
            self._ends = piece[:_HEAD]
        self._scan.feed(piece)
        self._ends = self._ends[:_HEAD] + (self._ends[_HEAD:] + piece[_HEAD - _TAIL :])[_HEAD - _TAIL :]
        # The last byte tells whether an empty line follows.
        self._held[:] = piece[-1:] if piece.endswith(b"\n") else b""


def _ends_of(document: bytes) -> bytes:
    return document[:_HEAD] + document[_HEAD - _TAIL :]


class Events(Lines):
    """The data of events, HTML section 9.2.6: an event ends with an empty line, and its lines of data are joined."""

    __slots__ = ("_after_cr",)

    SEPARATOR = b"\n\n"
    ENDS = (b"\n\n", b"\r\n\r\n")

    def __init__(self, wanted: Search, wanted_last: Search, take: Callable[[bytes], bool], scan: Scan) -> None:
        super().__init__(wanted, wanted_last, take, scan)
        self._after_cr = False

    def _split(self, data: bytes) -> None:
        if self._after_cr or CR in data:
            data = self._with_line_feeds(data)
        if self._held.endswith(b"\n") and data.startswith(b"\n"):
            self._close()
            data = data[1:]
        super()._split(data)

    def _is_one(self, data: bytes) -> bool:
        return data.count(b"\n\n") + data.count(b"\r\n\r\n") == 1 and (CR not in data or b"\r\r" not in data)

    def _document(self, piece: bytes) -> bytes:
        piece = self._normal(piece)
        if piece.startswith(b"data:") and piece.find(b"\n") < 0:
            return piece[5:]
        return b"\n".join([line[5:] for line in piece.split(b"\n") if line.startswith(b"data:")])

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr:
            data = b"\r" + data
        self._after_cr = data.endswith(b"\r")
        return self._normal(data.removesuffix(b"\r"))

    @staticmethod
    def _normal(data: bytes) -> bytes:
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if CR in data else data
