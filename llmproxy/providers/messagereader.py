"""
A reader of the usage in the messages that a server sends over a WebSocket: OpenAI's Realtime, Live and Responses, and
Gemini Live. What its answers have used is added up.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from attrs import evolve

from ..core.codings import FREE, MOST_RATIO, PIECE
from ..core.models import named
from ..core.websocket import BINARY, TEXT, FrameError, FrameReader, Part
from ..errors import UnsupportedMediaType
from ..usage import UNKNOWN, Usage, added
from .usagereader import LONGEST_EVENT, UsageReader

_MARK = re.compile(
    rb'"usage(?:Metadata)?"|"session\.(?:created|updated)"|"response\.(?:created|done|completed|incomplete|failed)"'
)
"""Stands in every message that tells a usage, begins or ends an answer or a session."""

_ENDS = frozenset(f"response.{how}" for how in ("done", "completed", "incomplete", "failed"))

_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
"""Tells what another model has used, that writes down what was said."""

_FLUSHED = b"\x00\x00\xff\xff"
"""RFC 7692 section 7.2.1: what the end of a message leaves out."""


class _Event(msgspec.Struct):
    type: Any = None
    session: Any = None


class MessageReader:
    """
    @param extensions: what the server has agreed to, as in C{Sec-WebSocket-Extensions}.
    @raise UnsupportedMediaType: an extension that cannot be undone here.
    """

    __slots__ = (
        "_document",
        "_frames",
        "_held",
        "_inflater",
        "_is_deflated",
        "_model",
        "_open",
        "_session",
        "_sum",
        "_transcribed",
    )

    def __init__(self, extensions: bytes = b"") -> None:
        self._inflater = _inflater_for(extensions)
        self._frames = FrameReader("server", deflates=self._inflater is not None)
        self._held = bytearray()
        self._document: UsageReader | None = None
        self._is_deflated = False
        self._open = 0
        self._model = ""
        self._sum: Usage | None = None
        self._session: Usage | None = None
        self._transcribed: Usage | None = None

    def feed(self, data: bytes) -> None:
        """
        @raise UnsupportedMediaType: the bytes are no frames, or what is in them cannot be undone.
        """
        try:
            for part in self._frames.feed(data):
                if not part.frame.control:
                    self._part(part)
        except (FrameError, zlib.error) as error:
            raise UnsupportedMediaType("the messages of upstream cannot be read") from error

    def direct(self) -> Callable[[bytes], object]:
        """See L{UsageReader.direct}."""
        return self.feed

    def is_whole(self) -> bool:
        """Whether every answer that has begun has ended."""
        return self._open <= 0

    def usage(self) -> Usage:
        """What all answers together have used until now."""
        usage = self._sum
        if self._session is not None:
            usage = self._session if usage is None else added(usage, self._session)
        if usage is None:
            # A session that only writes down what it hears.
            usage = self._transcribed or UNKNOWN
        elif self._transcribed is not None:
            usage = evolve(usage, raw={**(usage.raw or {}), "input_audio_transcription": self._transcribed.raw})
        return usage if usage.served_model else evolve(usage, served_model=self._model)

    def _part(self, part: Part) -> None:
        if part.begins and part.frame.opcode in (TEXT, BINARY):
            self._is_deflated = part.frame.deflated
        last = part.ends and part.frame.final
        if self._inflater is not None and self._is_deflated:
            for piece in self._inflater.pieces(part.payload, last):
                self._add(piece)
        else:
            self._add(part.payload)
        if last:
            self._end()

    def _add(self, piece: bytes) -> None:
        if self._document is None and len(self._held) + len(piece) <= LONGEST_EVENT:
            self._held += piece
            return
        if self._document is None:
            self._document = UsageReader(b"application/json")
            self._document.feed(bytes(self._held))
            self._held.clear()
        self._document.feed(piece)

    def _end(self) -> None:
        document, self._document = self._document, None
        held = bytes(self._held)
        self._held.clear()
        if document is not None:
            usage = document.usage()
            # A whole answer that stands in the event that ends it; audio can be as long.
            self._open -= usage.is_known
            self._count("", usage)
        elif _MARK.search(held):
            self._message(held)

    def _message(self, message: bytes) -> None:
        try:
            event = msgspec.json.decode(message, type=_Event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if isinstance(event.session, dict):
            self._model = named(event.session.get("model")) or self._model
        self._open += (event.type == "response.created") - (event.type in _ENDS)
        document = UsageReader(b"application/json")
        document.whole(message)
        self._count(event.type, document.usage())

    def _count(self, kind: object, usage: Usage) -> None:
        if not usage.is_known:
            return
        if kind == _TRANSCRIBED:
            self._transcribed = usage if self._transcribed is None else added(self._transcribed, usage)
        elif isinstance(kind, str) and kind.startswith("session."):
            # These say the sum until now themselves.
            self._session = usage
        else:
            self._sum = usage if self._sum is None else added(self._sum, usage)


class _Inflater:
    """
    C{permessage-deflate}, RFC 7692.

    @param forgets: each message is compressed for itself.
    """

    def __init__(self, forgets: bool) -> None:
        self._forgets = forgets
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = FREE

    def pieces(self, data: bytes, last: bool) -> Iterator[bytes]:
        self._left += len(data) * MOST_RATIO
        data += _FLUSHED if last else b""
        inflate, piece = self._inflate, None
        # All of the input can be taken while some of the output is still to come.
        while data or (piece is not None and len(piece) == PIECE):
            piece = inflate.decompress(data, PIECE)
            data = inflate.unconsumed_tail
            self._left -= len(piece)
            if self._left < 0:
                raise UnsupportedMediaType("the messages of upstream become too long when they are inflated")
            yield piece
        if last:
            self._next(inflate)

    def _next(self, inflate: Any) -> None:
        self._left = FREE
        if self._forgets:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        elif inflate.eof:
            # Section 7.2.3.4 allows it, and nobody is known to do it.
            raise UnsupportedMediaType("the messages of upstream end their compression")


def _inflater_for(extensions: bytes) -> _Inflater | None:
    names, *more = [each.strip().lower() for each in extensions.split(b",")]
    name, *parameters = [each.strip() for each in names.split(b";")]
    if not name:
        return None
    if name != b"permessage-deflate" or more:
        raise UnsupportedMediaType("upstream has agreed to an extension that cannot be undone here")
    return _Inflater(b"server_no_context_takeover" in parameters)
