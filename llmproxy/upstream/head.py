"""The head of a request as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.web.iweb import UNKNOWN_LENGTH

from ..core.fields import CR, LF, NUL, Names
from ..errors import InternalError
from ..message import Field
from .upload import BodyLengthMismatch

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer


_SPACE = ord(" ")
_DECISIVE = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
_DECIDED_BY = Names(lambda name: name.lower() if name.lower() in _DECISIVE else b"")
"""The name of such a field in lower case, C{b""} for any other."""


class Addressed(Protocol):
    """
    @ivar netloc: the value of C{Host}, where the fields have none.
    @ivar extra: lines for the next hop alone.
    """

    netloc: bytes
    extra: bytes


class MalformedRequest(InternalError, ValueError):
    """Something in a request head would end it, or be read as something else: nothing was sent."""


def request_head(
    method: bytes, target: bytes, pairs: Sequence[Field], addressed: Addressed, body: IBodyProducer | None
) -> tuple[bytes, int | object, bool]:
    """
    The bytes of a request head, and the length of the content that it announces.

    Fields are written as they are and where they are. C{Host} is put first and the framing last where
    they are missing; a C{Content-Length} that is there must be the body's.

    @return: the length is L{UNKNOWN_LENGTH} for content in chunks, and 0 without any; at last whether upstream asks
        for it.
    @raise MalformedRequest: it has a line break or NUL where none may be.
    @raise BodyLengthMismatch: C{Content-Length} says something else than the body.
    """
    host, announced, expects = _look(pairs)
    length: Any = 0 if body is None else body.length
    framing = b""
    if announced is not None:
        length = _agreed(announced, length)
    elif length is UNKNOWN_LENGTH:
        framing = b"Transfer-Encoding: chunked\r\n"
    elif body is not None:
        framing = b"Content-Length: %d\r\n" % length
    first = b"" if host else b"Host: %b\r\n" % addressed.netloc
    extra = addressed.extra
    lines = [b": ".join(pair) for pair in pairs]
    said = b"".join((method, target, addressed.netloc, extra[:-2], *lines))
    if CR in said or LF in said or NUL in said or _SPACE in target or _SPACE in method:
        raise MalformedRequest("the request head has a character that it must not have")
    # The last one ends the last line.
    lines.append(b"")
    head = b"".join((method, b" ", target, b" HTTP/1.1\r\n", first, b"\r\n".join(lines), framing, extra, b"\r\n"))
    return head, length, expects and body is not None


def _look(pairs: Sequence[Field]) -> tuple[bool, bytes | None, bool]:
    """Whether there is a C{Host}, the C{Content-Length}, and whether there is an C{Expect}."""
    host, announced, expects = False, None, False
    decided_by = _DECIDED_BY
    for name, value in pairs:
        lowered = decided_by[name]
        if not lowered:
            continue
        if lowered == b"host":
            host = True
        elif lowered == b"expect":
            expects = True
        elif lowered == b"content-length":
            if announced is not None:
                raise MalformedRequest("the request has more than one Content-Length")
            announced = value
        else:
            raise MalformedRequest("Transfer-Encoding belongs to the connection")
    return host, announced, expects


def _agreed(announced: bytes, length: int | object) -> int:
    if not announced.isdigit():
        raise MalformedRequest("Content-Length is not a number")
    if length is not UNKNOWN_LENGTH and int(announced) != length:
        raise BodyLengthMismatch("Content-Length is not the length of the body")
    return int(announced)
