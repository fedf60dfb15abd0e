"""
Messages of an AWS event stream (C{application/vnd.amazon.eventstream}), read as they come, cut anywhere.

A message is its length, the length of its headers and a checksum of both, then headers, payload and another checksum
(smithy.io, "Amazon Event Stream Specification", read on 30 November 2026).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

_PRELUDE = 12
_CHECKSUM = 4


class MessageError(Exception):
    """The bytes are no event stream."""


class AwsEvents:
    """
    @param longest: bytes of a payload that are held; a longer one is passed over.
    @param message: called with each payload at its end.
    """

    __slots__ = ("_held", "_longest", "_message", "_passing", "_sizes")

    def __init__(self, longest: int, message: Callable[[bytes], object]) -> None:
        self._longest = longest
        self._message = message
        self._held = bytearray()
        self._sizes: tuple[int, int] | None = None
        self._passing = 0

    def feed(self, data: bytes) -> None:
        """
        @raise MessageError: then nothing more may be fed.
        """
        at = 0
        while at < len(data):
            if self._passing:
                taken = min(self._passing, len(data) - at)
                self._passing -= taken
            else:
                taken = self._take(data, at)
            at += taken

    def _take(self, data: bytes, at: int) -> int:
        """How many bytes were of use for what is held."""
        wanted = (_PRELUDE if self._sizes is None else self._sizes[0]) - len(self._held)
        piece = data[at : at + wanted]
        self._held += piece
        if len(piece) == wanted:
            if self._sizes is None:
                self._begin()
            else:
                self._end(*self._sizes)
        return len(piece)

    def _begin(self) -> None:
        held = self._held
        size, headers = int.from_bytes(held[:4], "big"), int.from_bytes(held[4:8], "big")
        if zlib.crc32(held[:8]) != int.from_bytes(held[8:], "big") or size < _PRELUDE + headers + _CHECKSUM:
            raise MessageError("the prelude of a message has no meaning")
        if size - headers > self._longest:
            self._passing = size - _PRELUDE
            held.clear()
        else:
            self._sizes = (size, headers)

    def _end(self, size: int, headers: int) -> None:
        payload = bytes(self._held[_PRELUDE + headers : -_CHECKSUM])
        self._held.clear()
        self._sizes = None
        self._message(payload)
