"""The head of a request as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.web.iweb import UNKNOWN_LENGTH

from ..core.fields import CR, LF, NUL, Names
from ..core.notable import Known, Section, measured_at
from ..errors import InternalError
from ..message import Field
from .upload import BodyLengthMismatch

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer

    from ..message import ApiRequest


REQUEST_ID = b"X-Request-ID"
_SPACE = ord(" ")
_DECISIVE = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
_DECIDED_BY = Names(lambda name: name.lower() if name.lower() in _DECISIVE else b"")
"""The name of such a field in lower case, C{b""} for any other."""


class Addressed(Protocol):
    """
    @ivar prefix: what stands before the target.
    @ivar netloc: the value of C{Host}, where the fields have none.
    @ivar extra: lines for the next hop alone.
    """

    prefix: bytes
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


class KnownHead:
    """
    A request head that L{request_head} has made, but for what each request has of its own: the length of its content,
    and its id.

    @ivar target: what upstream is asked for.
    @ivar size: of its bytes.
    """

    __slots__ = (
        "_announced",
        "_asked",
        "_before",
        "_between",
        "_expects",
        "_extra",
        "_ids",
        "_measured",
        "size",
        "target",
    )

    def __init__(
        self,
        asked: tuple[bytes, bytes, bytes],
        target: bytes,
        prefix: bytes,
        pairs: Sequence[Field],
        addressed: Addressed,
        measured: bool,
        ids: bool,
    ) -> None:
        """
        @param asked: the method, the target and the version of the client's.
        @param target: upstream's, without C{prefix}.
        @param measured: the digits of the one C{Content-Length} change.
        @param ids: so does the value of the last field.
        @raise ValueError: they cannot.
        """
        host, announced, expects = _look(pairs)
        lines = [b": ".join(pair) for pair in pairs]
        at = measured_at(pairs) if measured else len(lines)
        if at < 0 or not lines:
            raise ValueError("the digits of no field change")
        if ids:
            lines[-1] = pairs[-1][0] + b": "
        if measured:
            lines[at] = pairs[at][0] + b": "
        line = b"".join((asked[0], b" ", addressed.prefix, prefix, target, b" HTTP/1.1\r\n"))
        self._before = line + b"\r\n".join(
            lines[: at + 1] if host else [b"Host: " + addressed.netloc, *lines[: at + 1]]
        )
        self._between = b"".join(b"\r\n" + each for each in lines[at + 1 :])
        self._extra = addressed.extra
        self._announced = announced
        self._expects = expects
        self._measured, self._ids = measured, ids
        self._asked = asked
        self.target = target
        self.size = len(self._before) + len(self._between) + len(self._extra)

    def is_of(self, request: ApiRequest) -> bool:
        """Whether it is made of the method, the target and the version of a request."""
        return self._asked == (request.method, request.target, request.version)

    def head(self, digits: bytes, request_id: str, body: IBodyProducer | None) -> tuple[bytes, int | object, bool]:
        """
        As L{request_head}.

        @param digits: of the C{Content-Length}, where it is the request's own.
        """
        length: Any = 0 if body is None else body.length
        said = request_id.encode("latin-1") if self._ids else b""
        if CR in said or LF in said or NUL in said:
            raise MalformedRequest("the id of the request has a character that it must not have")
        expects = self._expects and body is not None
        if self._measured:
            length = _agreed(digits, length)
            return b"".join((self._before, digits, self._between, said, b"\r\n", self._extra, b"\r\n")), length, expects
        framing = b""
        if self._announced is not None:
            length = _agreed(self._announced, length)
        elif length is UNKNOWN_LENGTH:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif body is not None:
            framing = b"Content-Length: %d\r\n" % length
        return b"".join((self._before, said, b"\r\n", framing, self._extra, b"\r\n")), length, expects


def remember_head(
    known: Known,
    question: object,
    asked: bytes,
    request: ApiRequest,
    prefix: bytes,
    pairs: Sequence[Field],
    addressed: Addressed,
    written: tuple[bytes, int | object, bool],
) -> None:
    """
    Remember how the head of a request is written, if writing it so gives the same bytes.

    @param known: of the section of the request, from which C{pairs} were made; C{question} asks for the head there.
    @param asked: the target before upstream's was made of it.
    @param prefix: what stands before the target at upstream.
    @param written: the head.
    """
    sent, request_id = request.fields, request.record.request_id
    length = sent.length if type(sent) is Section else b""
    ids = pairs[-1] == (REQUEST_ID, request_id.encode("latin-1"))
    asks = (request.method, asked, request.version)
    try:
        made = KnownHead(asks, request.target, prefix, pairs, addressed, known.is_measured, ids)
        same = made.head(length, request_id, request.body) == written
    except ValueError:
        return
    if same:
        known.remember(question, made, made.size)


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
