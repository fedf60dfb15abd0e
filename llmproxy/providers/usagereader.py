"""
A reader of the usage in an answer of any vendor, fed the bytes of its body as they come, cut anywhere.

All shapes are looked for in every answer: gateways, Azure, Bedrock and Vertex AI serve models of several vendors, each
in its own. Memory is bounded whatever the size of an answer or of an event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..core.codings import Decoder
from ..core.jsonmembers import JsonMembers, tree_of
from ..usage import UNKNOWN, Usage
from .registry import PROVIDERS, USAGE_SHAPES

EVENT_STREAM = b"text/event-stream"

MEDIA_TYPES = frozenset(
    {
        EVENT_STREAM,
        b"application/json",
        b"application/x-ndjson",
        b"application/jsonl",
        b"application/stream+json",
        b"application/json-seq",
    }
)
"""What can hold usage."""

LONGEST_EVENT = 64 * 1024
"""Bytes of an event that are held until its end; a longer one is scanned as it comes."""

_PATHS = tuple(path for shape in USAGE_SHAPES for path in (*shape.members, *shape.models, *shape.identity))
_TREE = tree_of(_PATHS)
_BY_FIRST: dict[str, list[tuple[str, list[str]]]] = {}
"""The paths by the member of the document that they begin with, each with what follows."""
for _path in dict.fromkeys(_PATHS):
    _first, *_rest = _path.split(".")
    _BY_FIRST.setdefault(_first, []).append((_path, _rest))

_NAMES = sorted({path.rpartition(".")[2] for shape in USAGE_SHAPES for path in shape.members})
_MARK = re.compile(rb'"(?:%b)"(?!\s*:\s*null)' % b"|".join(name.encode("ascii") for name in _NAMES))
"""Stands in every event that tells a usage, and seldom in others."""

_LAST = tuple({event for provider in PROVIDERS for event in provider.last_events})
_TAIL = 1024
"""Bytes in which the last event is looked for."""

_DATA = re.compile(rb"^data:", re.MULTILINE)


def media_type_of(content_type: bytes) -> bytes:
    """The media type of a C{Content-Type} without parameters, in lower case."""
    return content_type.partition(b";")[0].strip().lower()


class UsageReader:
    """
    @param media_type: one of L{MEDIA_TYPES}.
    @param codings: of the content, in the order in which they were applied, in lower case.
    @raise ProxyError: a coding cannot be undone here.
    """

    __slots__ = ("_decoder", "_events", "_found", "_scan", "_tail")

    def __init__(self, media_type: bytes, codings: Sequence[bytes] = ()) -> None:
        self._decoder = Decoder(codings) if codings else None
        self._found: dict[str, Any] = {}
        self._scan: JsonMembers | None = None
        self._events = _Events(JsonMembers(_TREE, self._note)) if media_type == EVENT_STREAM else None
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """
        @raise ProxyError: what is in a coding cannot be read.
        """
        if self._decoder is None:
            self._read(data)
            return
        for piece in self._decoder.feed(data):
            self._read(piece)

    def whole(self, content: bytes) -> None:
        """All of a body; the same as L{feed}, and faster where it is short JSON without a coding."""
        if self._decoder is None and self._events is None and len(content) <= LONGEST_EVENT:
            try:
                document = msgspec.json.decode(content)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                # It may be several documents.
                pass
            else:
                for each in document if isinstance(document, list) else (document,):
                    self._look(each)
                return
        self.feed(content)

    def _look(self, document: Any) -> None:
        if not isinstance(document, dict):
            return
        for name, found in document.items():
            for path, rest in _BY_FIRST.get(name, ()):
                value = found
                for part in rest:
                    value = value.get(part) if isinstance(value, dict) else None
                self._set(path, value)

    def _read(self, data: bytes) -> None:
        if self._events is None:
            if self._scan is None:
                self._scan = JsonMembers(_TREE, self._note)
            self._scan.feed(data)
        else:
            self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]
            self._events.feed(data)

    def is_whole(self) -> bool:
        """Whether the last event of a stream has been seen, so that nothing is missing if it is cut now."""
        return any(event in self._tail for event in _LAST)

    def usage(self) -> Usage:
        """What the answer has said until now; an event that has no end yet is no part of it unless it is whole."""
        if self._events is not None:
            self._events.end()
        for shape in USAGE_SHAPES:
            usage = shape.read(self._found)
            if usage is not None:
                return usage
        return UNKNOWN

    @property
    def found(self) -> Mapping[str, Any]:
        """What of L{USAGE_SHAPES} has been found, by its path."""
        return self._found

    def _note(self, path: str, written: bytes) -> None:
        try:
            value = msgspec.json.decode(written)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        self._set(path, value)

    def _set(self, path: str, value: Any) -> None:
        if value is None:
            return
        former = self._found.get(path)
        if isinstance(former, dict) and isinstance(value, dict):
            value = former | {name: each for name, each in value.items() if each is not None}
        self._found[path] = value


class _Events:
    """
    Events of a stream, parted by the empty line behind each (HTML, section 9.2.6). The first is scanned, which
    names the model, and those that can hold usage.
    """

    __slots__ = ("_after_cr", "_held", "_is_first", "_is_long", "_scan")

    def __init__(self, scan: JsonMembers) -> None:
        self._scan = scan
        self._held = bytearray()
        self._is_long = self._after_cr = False
        self._is_first = True

    def feed(self, data: bytes) -> None:
        if b"\r" in data or self._after_cr:
            data = self._with_line_feeds(data)
        if not (self._is_first or self._held or self._is_long) and data.endswith(b"\n\n") and not _MARK.search(data):
            return
        if self._held.endswith(b"\n") and data.startswith(b"\n"):
            self.end()
            data = data[1:]
        *whole, rest = data.split(b"\n\n")
        for event in whole:
            self._add(event)
            self.end()
        self._add(rest)

    def end(self) -> None:
        """The event that is open ends here."""
        if not self._is_long and (self._is_first or _MARK.search(self._held)):
            # What came before the first event with data names no model.
            self._is_first = b"{" not in self._held
            self._scan.feed(_DATA.sub(b"", self._held))
        self._held.clear()
        self._is_long = False
        self._scan.reset()

    def _add(self, piece: bytes) -> None:
        if not self._is_long:
            self._held += piece
            if len(self._held) <= LONGEST_EVENT:
                return
            piece = bytes(self._held)
            self._is_long, self._is_first = True, False
        self._scan.feed(piece)
        # The last byte tells whether an empty line follows.
        self._held[:] = piece[-1:] if piece.endswith(b"\n") else b""

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr:
            data = b"\r" + data
        self._after_cr = data.endswith(b"\r")
        return data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
