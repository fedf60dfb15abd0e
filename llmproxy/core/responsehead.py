"""The head of a response and the framing of what follows it, RFC 9112 section 6; pure."""

from __future__ import annotations

from functools import lru_cache

from ..message import Fields
from .fields import CR, LF, NUL, Names

CHUNKED = -1
UNTIL_CLOSE = -2
NO_CONTENT = -3
"""How the end of the content is marked, where it is not a number of bytes that are left to write."""

_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_FRAMED_BY = Names(lambda name: name.lower() if name.lower() in _FRAMING else b"")
"""The name of such a field in lower case, C{b""} for any other."""


def response_head(
    status: int, reason: bytes, fields: Fields, length: object, *, head_only: bool, http11: bool, keep_alive: bool
) -> tuple[bytes, int, bool]:
    """
    The head as it goes on the wire: C{fields} as they are, and what the framing needs.

    @param length: bytes of the content; C{None} if the message has none; anything else, if it is not known.
    @param head_only: the answer to a HEAD: framed as C{length} says, but nothing follows.
    @param http11: the client speaks HTTP/1.1; chunks would be content to an older one.
    @param keep_alive: the connection may be kept.
    @return: the bytes; how many bytes of content are to follow, or L{CHUNKED}, L{UNTIL_CLOSE}, L{NO_CONTENT}; whether
        the connection is kept afterwards.
    @raise ValueError: for a field that would end its line before its end, and for a C{Content-Length} that is no
        number or contradicts C{length} or another one.
    """
    if status < 200 or status == 204 or status == 304:
        length = None
    lines = [_status_line(status, reason)]
    stated: bytes | None = None
    framed_by = _FRAMED_BY
    for pair in fields:
        name = framed_by[pair[0]]
        if name:
            if name == b"content-length":
                # RFC 9110 section 8.6: not in a 1xx or 204.
                if status < 200 or status == 204:
                    continue
                if stated is not None:
                    if stated != pair[1]:
                        raise ValueError("two different Content-Length fields")
                    continue
                stated = pair[1]
            elif name == b"transfer-encoding":
                continue
            elif status != 101:
                keep_alive = keep_alive and b"close" not in pair[1].lower()
                # RFC 9110 section 7.8: who sends Upgrade names it here.
                if status != 426 or pair[1] != b"Upgrade":
                    continue
        lines.append(b": ".join(pair))
    if length is None:
        left = NO_CONTENT
    elif isinstance(length, int):
        left = length
        if stated is None:
            lines.append(b"Content-Length: %d" % length)
        elif _size(stated) != length:
            raise ValueError("Content-Length contradicts the length of the body")
    elif stated is not None:
        left = _size(stated)
    elif http11:
        left = CHUNKED
        lines.append(b"Transfer-Encoding: chunked")
    else:
        left = UNTIL_CLOSE
        keep_alive = keep_alive and head_only
    if status >= 200:
        if not keep_alive:
            lines.append(b"Connection: close")
        elif not http11:
            lines.append(b"Connection: keep-alive")
    return _joined(lines), NO_CONTENT if head_only else left, keep_alive


def trailer_section(trailers: Fields) -> bytes:
    """The last chunk and what follows it."""
    if not trailers:
        return b"0\r\n\r\n"
    return _joined([b"0", *map(b": ".join, trailers)])


def _size(stated: bytes) -> int:
    # int() alone takes signs and underscores too.
    if not stated.isdigit():
        raise ValueError("Content-Length is not a number")
    return int(stated)


def _joined(lines: list[bytes]) -> bytes:
    said = b"".join(lines)
    # A field that contains one of them would let its author write the rest.
    if CR in said or LF in said or NUL in said:
        raise ValueError("a response field contains a line end or NUL")
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


@lru_cache(maxsize=256)
def _status_line(status: int, reason: bytes) -> bytes:
    return b"HTTP/1.1 %d %b" % (status, reason)
