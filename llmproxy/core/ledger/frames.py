"""
Frames: how entries stand in a file of the ledger, so that one which was not written whole is recognised.

A frame is a length, a checksum and a kind, then its content. The file is made of zeros before it is written to, and a
length of 0 is the end. What is not whole (the process was killed while it wrote, the machine lost its power) ends what
can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

import msgspec

HEADER, BEGUN, ENDED, RETURNED, SPENT = 1, 2, 3, 4, 5
"""
Kinds: what the file is; an exchange that went on; one that has ended; its use that was given back, before that; a use
that it took after that, as it was sent once more.
"""

LEASED, USED = 0x40, 0x80
"""Beside all kinds that take or give back uses: it is a request of its token, and a leased one."""

KIND = 0x0F
"""The bits of the kind itself."""

_HEAD = Struct("<IIB")
_pack, _unpack = _HEAD.pack, _HEAD.unpack_from
OVERHEAD = _HEAD.size
"""Bytes of a frame beside its content."""


class Header(msgspec.Struct, frozen=True, array_like=True):
    """
    The first frame of a file.

    @ivar writer: the process that wrote it, 32 hexadecimal digits.
    @ivar number: of the file, among those of its writer.
    @ivar database: the id of the database that its entries are for.
    """

    writer: str
    number: int
    database: str


class Change(msgspec.Struct, frozen=True, array_like=True):
    """
    A use that was given back, as nothing was sent, or one that was taken after that.

    @ivar id: of the exchange, which goes on.
    @ivar sequence: comes behind that of every use before it; see L{llmproxy.core.ledger.uses}.
    """

    id: str
    sequence: int
    token_id: str


def frame(kind: int, content: bytes) -> bytes:
    """One frame; C{content} is not empty."""
    return _pack(len(content), crc32(content, kind), kind) + content


def frames(data: bytes | memoryview, start: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """
    Every whole frame from C{start} on: its kind, with what stands beside it, its content, and where it ends.
    """
    size = len(data)
    while start + OVERHEAD <= size:
        length, checksum, kind = _unpack(data, start)
        end = start + OVERHEAD + length
        if not length or end > size:
            return
        content = bytes(data[start + OVERHEAD : end])
        if crc32(content, kind) != checksum:
            return
        yield kind, content, end
        start = end


def is_clean_end(data: bytes | memoryview, end: int) -> bool:
    """Whether nothing stands behind the last whole frame: if something does, it was not written whole."""
    return not any(data[end : end + OVERHEAD])
