"""The head of a request as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.web.iweb import UNKNOWN_LENGTH

from ..core.fields import LOWER
from ..errors import InternalError
from ..message import Field
from .upload import BodyLengthMismatch

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer


_SPACE = ord(" ")
_DECISIVE = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})


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
    lines = b"\r\n".join([b": ".join(pair) for pair in pairs])
    ends = b"\r\n" if lines else b""
    head = b"".join((method, b" ", target, b" HTTP/1.1\r\n", first, lines, ends, framing, addressed.extra, b"\r\n"))
    breaks = 2 + len(pairs) + (not host) + (framing != b"") + (addressed.extra != b"")
    # Each line ends with two of these bytes, and they stand nowhere else.
    if len(head) - len(head.translate(None, b"\r\n\0")) != 2 * breaks or _SPACE in target or _SPACE in method:
        raise MalformedRequest("the request head has a character that it must not have")
    return head, length, expects and body is not None


def _look(pairs: Sequence[Field]) -> tuple[bool, bytes | None, bool]:
    """Whether there is a C{Host}, the C{Content-Length}, and whether there is an C{Expect}."""
    host, announced, expects = False, None, False
    lower = LOWER
    for name, value in pairs:
        lowered = lower[name]
        if lowered not in _DECISIVE:
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
