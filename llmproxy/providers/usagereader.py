"""
A reader of the usage in an answer of any vendor, fed the bytes of its body as they come, cut anywhere.

All shapes are looked for in every answer: gateways, Azure, Bedrock and Vertex AI serve models of several vendors, each
in its own. A vendor adds its shape in its own module, and nowhere else: a L{llmproxy.providers.usage.UsageShape} names
the members that tell the usage and the model, and has a function that makes a L{Usage} of those that were found.

What an answer says is decided at its end, as far as that can be: JSON is held until it is whole, unless it is long. Of
a stream only the first documents, which name the model, and those that have a member of some shape are decoded; all
others cost one search. Memory is bounded whatever the size of an answer or of an event, and so is the time that a piece
of whatever bytes takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.codings import Decoder
from ..core.eventstream import LONGEST, Events, Lines
from ..core.jsonmembers import JsonMembers
from ..usage import Usage
from .documents import Documents, tells_any, tells_usage
from .registry import PROVIDERS

EVENT_STREAM = b"text/event-stream"
JSON = b"application/json"

MEDIA_TYPES = frozenset(
    {
        EVENT_STREAM,
        JSON,
        b"application/x-ndjson",
        b"application/jsonl",
        b"application/stream+json",
        b"application/json-seq",
    }
)
"""What can hold usage; those but the first two are documents of a line each."""

LONGEST_EVENT = LONGEST
"""Bytes of a document that are held until its end; a longer one is scanned as it comes."""

_LAST = tuple({event for provider in PROVIDERS for event in provider.last_events})


def media_type_of(content_type: bytes) -> bytes:
    """The media type of a C{Content-Type} without parameters, in lower case."""
    return content_type.partition(b";")[0].strip().lower()


class UsageReader:
    """
    @param media_type: one of L{MEDIA_TYPES}.
    @param codings: of the content, in the order in which they were applied, in lower case.
    @raise ProxyError: a coding cannot be undone here.
    """

    __slots__ = ("_content", "_decoder", "_documents")

    def __init__(self, media_type: bytes, codings: Sequence[bytes] = ()) -> None:
        self._decoder = Decoder(codings) if codings else None
        self._documents = documents = Documents()
        self._content: _Whole | Lines
        if media_type == JSON:
            self._content = _Whole(documents)
        else:
            split = Events if media_type == EVENT_STREAM else Lines
            self._content = split(tells_usage, tells_any, documents.take, documents.scan())

    def feed(self, data: bytes) -> None:
        """
        @raise ProxyError: what is in a coding cannot be read.
        """
        if self._decoder is None:
            self._read(data)
            return
        for piece in self._decoder.feed(data):
            self._read(piece)

    def direct(self) -> Callable[[bytes], object]:
        """What is to be called in place of L{feed}, with nothing between where there need not be."""
        return self._content.feed if self._decoder is None else self.feed

    def whole(self, content: bytes) -> None:
        """All of a body; the same as L{feed}, and faster where it is JSON without a coding."""
        if self._decoder is None and type(self._content) is _Whole and self._documents.add(content):
            return
        self.feed(content)

    def is_whole(self) -> bool:
        """Whether the last event of a stream has been seen, so that nothing is missing if it is cut now."""
        last = self._content.last()
        return any(event in last for event in _LAST)

    def usage(self) -> Usage:
        """What the answer has said until now; an event that has no end yet is no part of it unless it is whole."""
        self._content.end()
        return self._documents.usage()

    @property
    def found(self) -> Mapping[str, Any]:
        """What of L{llmproxy.providers.registry.USAGE_SHAPES} has been found, by its path."""
        return self._documents.found

    def _read(self, data: bytes) -> None:
        self._content.feed(data)


class _Whole:
    """One document, or several behind each other: held as long as it is short, and scanned if it is not."""

    __slots__ = ("_documents", "_held", "_scan")

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._held = b""
        self._scan: JsonMembers | None = None

    def feed(self, data: bytes) -> None:
        if self._scan is None:
            self._held += data
            if len(self._held) <= LONGEST:
                return
            data, self._held = self._held, b""
            self._scan = self._documents.scan()
        self._scan.feed(data)

    def end(self) -> None:
        held, self._held = self._held, b""
        if held and not self._documents.add(held):
            self._documents.scan().feed(held)

    def last(self) -> bytes:
        """It has no last event."""
        return b""
