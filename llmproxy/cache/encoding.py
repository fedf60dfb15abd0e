"""Stored responses as Redis keeps them."""

from __future__ import annotations

from struct import Struct

from ..core.caching.entry import Entry, pack, unpack

VERSION = 1
"""Of a stored head. Heads of another version are taken for garbage, which is a miss."""

EXPIRY = 8
"""Bytes in front of a head that stands in Redis: when it expires."""

_PREFIX = Struct(">BI")


def encode_head(entry: Entry, length: int) -> bytes:
    """@param length: of the content, which is stored beside it."""
    return _PREFIX.pack(VERSION, length) + pack(entry)


def decode_head(data: bytes, length: int | None = None, at: int = 0) -> Entry | None:
    """
    C{None} for what L{encode_head} did not write.

    @param length: of the content that stands beside it: if it is another than was written, neither can be used.
    @param at: where it begins.
    """
    if len(data) <= at + _PREFIX.size:
        return None
    version, written = _PREFIX.unpack_from(data, at)
    if version != VERSION or length not in (None, written):
        return None
    return unpack(data[at + _PREFIX.size :])


def join_names(names: tuple[bytes, ...]) -> bytes:
    """Field names hold no line feed."""
    return b"\n".join(names)


def split_names(text: bytes) -> tuple[bytes, ...]:
    return tuple(text.split(b"\n")) if text else ()
