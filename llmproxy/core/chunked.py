"""
Request bodies out of bytes: by their length, or in chunks (RFC 9112 section 7.1), read strictly; no I/O.

The chunks are read by own code, because httptools does not say where in its input the last one ended.
"""

from __future__ import annotations

import re

from ..message import Field
from .http11 import fields_too_large, malformed, read_fields

# Sixteen digits hold any size that a peer can mean. White space is allowed before an extension only.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
MAX_SIZE_LINE = 1024
"""Bytes of a chunk's size and extensions."""

_SIZE_LINE, _CONTENT, _CONTENT_END, _TRAILERS = range(4)


class SizedReader:
    """
    A body whose length is known.

    @ivar left: bytes that are to come.
    @ivar ended: it has been read to its end.
    @ivar rest: after a L{feed} that ended the body, what follows it.
    """

    __slots__ = ("ended", "left", "rest")

    trailers: tuple[Field, ...] = ()

    def __init__(self, length: int) -> None:
        self.left = length
        self.ended = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The content that C{data} brings."""
        left = self.left = self.left - len(data)
        if left > 0:
            return data
        self.ended = True
        if left == 0:
            return data
        self.left = 0
        self.rest = data[left:]
        return data[:left]


class ChunkedReader:
    """
    A body that comes in chunks.

    @ivar left: C{None}: it is not known how much is to come.
    @ivar ended: the last chunk and the trailer section have been read.
    @ivar trailers: the trailer section.
    @ivar rest: after a L{feed} that ended the body, what follows it.
    @param trailer_limit: bytes of the trailer section.
    """

    left = None

    __slots__ = ("_chunk", "_partial", "_state", "_trailer_limit", "ended", "rest", "trailers")

    def __init__(self, trailer_limit: int = 64 * 1024) -> None:
        self._trailer_limit = trailer_limit
        self._state = _SIZE_LINE
        self._chunk = 0
        self._partial = b""
        self.ended = False
        self.trailers: list[Field] = []
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """
        The content that C{data} brings.

        @raise llmproxy.core.http11.Refusal: for what is not the chunked coding.
        """
        if self._partial:
            data, self._partial = self._partial + data, b""
        pieces: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.ended:
            if self._state == _CONTENT:
                piece = data[at : at + self._chunk]
                pieces.append(piece)
                at += len(piece)
                self._chunk -= len(piece)
                if not self._chunk:
                    self._state = _CONTENT_END
                continue
            read = self._framing(data, at)
            if not read:
                self._partial = data[at:]
                break
            at += read
        else:
            self.rest = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _framing(self, data: bytes, at: int) -> int:
        """Read one element of the framing; returns its size, or 0 if it is not here whole."""
        if self._state == _SIZE_LINE:
            return self._size_line(data, at)
        if self._state == _TRAILERS:
            return self._trailer_section(data, at)
        end = data[at : at + 2]
        if end == b"\r\n":
            self._state = _SIZE_LINE
            return 2
        if end == b"\r":
            return 0
        raise malformed("chunk is longer than its size")

    def _size_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at, at + MAX_SIZE_LINE)
        if end < 0:
            if len(data) - at >= MAX_SIZE_LINE:
                raise malformed("chunk size line is too long")
            self._check_beginning(data[at:])
            return 0
        match = _SIZE.fullmatch(data, at, end)
        if match is None:
            raise malformed("chunk size")
        self._chunk = int(match[1], 16)
        self._state = _CONTENT if self._chunk else _TRAILERS
        return end + 2 - at

    def _check_beginning(self, line: bytes) -> None:
        if _SIZE.fullmatch(line.rstrip(b" \t\r")) is None:
            raise malformed("chunk size")

    def _trailer_section(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            size = 2
        else:
            end = data.find(b"\r\n\r\n", at)
            size = end + 4 - at if end >= 0 else 0
        if size > self._trailer_limit or (not size and len(data) - at > self._trailer_limit):
            raise fields_too_large("trailer section is too large")
        if not size:
            section = data[at:]
            if section.count(b"\n") != section.count(b"\r\n"):
                raise malformed("bare line feed")
        elif size > 2:
            self.trailers = read_fields(data[at : at + size - 2])
        self.ended = bool(size)
        return size
