"""
Raw messages, and what has to become of them: tables for tests/integration/test_vectors.py and tests/test_fuzz.py.

In the bytes, C{TOKEN} stands for the client's token, C{ORIGIN} for the authority of upstream, C{KEY} for the project's
upstream key. What the proxy puts on every message, its own C{Via} and C{X-Request-ID}, is left out of what is
expected; everything else is compared byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from attrs import field, frozen


@frozen
class Await:
    """Go on once this has come from the other side."""

    data: bytes


@frozen
class Arrived:
    """Go on once this has come to the other side: to upstream from the client, to the client from upstream."""

    data: bytes


@frozen
class Dropped:
    """Go on once one of upstream's connections is closed."""


@frozen
class Pause:
    """Let the network deliver what was sent so far."""

    seconds: float = 0.01


@frozen
class HalfClose:
    """Send no more, and go on reading."""


@frozen
class Close:
    """Close the connection in order."""


@frozen
class Reset:
    """Break the connection off."""


Step: TypeAlias = "bytes | Await | Arrived | Dropped | Pause | HalfClose | Close | Reset"
Steps: TypeAlias = "Step | Sequence[Step]"


@frozen
class Error:
    """
    An answer of the proxy itself.

    @ivar before: what the client gets before it.
    @ivar after: what it gets afterwards.
    @ivar last: it says C{Connection: close}.
    """

    status: int
    code: str
    before: bytes = b""
    after: bytes = b""
    last: bool = False


@frozen
class Vector:
    """
    One conversation.

    @ivar section: the rule that decides it, C{"9112 6.3"} for section 6.3 of RFC 9112.
    @ivar sends: by the client.
    @ivar sees: by upstream, whole requests in their order; one that is not whole is not among them.
    @ivar gets: by the client.
    @ivar answers: by upstream, to each request.
    @ivar ends: the client's connection: C{"open"}, C{"closed"} by the proxy in order, or C{"broken"}: closed without
        the end of a message, or reset.
    @ivar dropped: upstream's connection is closed by the proxy.
    @ivar partial: what upstream sees of a request that never becomes whole; C{None} if it may be anything.
    """

    name: str
    section: str
    sends: Steps
    sees: Sequence[bytes] = ()
    gets: bytes | Error = b""
    answers: Sequence[Steps] = field(default=())
    ends: str = "open"
    dropped: bool = False
    partial: bytes | None = b""


def steps(steps: Steps) -> Iterator[Step]:
    """One step or several, as several."""
    if isinstance(steps, (list, tuple)):
        yield from steps
    else:
        yield steps  # type: ignore[misc]


def lines(*lines: bytes) -> bytes:
    """A head of these lines."""
    return b"\r\n".join([*lines, b"", b""])


AUTH = b"Authorization: Bearer TOKEN"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def asks(first: bytes, *fields: bytes, host: bytes = b"proxy") -> bytes:
    """The head of a request as the client sends it: with C{Host} and token."""
    return lines(first, b"Host: " + host, AUTH, *fields)


def asked(first: bytes, *fields: bytes) -> bytes:
    """The head of a request as upstream sees it: with its own C{Host} and key."""
    return lines(first, b"Host: ORIGIN", b"Authorization: Bearer KEY", *fields)


GET = asks(b"GET /v1/x HTTP/1.1")
SEEN = asked(b"GET /v1/x HTTP/1.1")


def refused(
    name: str, section: str, sends: Steps, status: int = 400, code: str = "malformed_request", **more: object
) -> Vector:
    """A request that is turned away, with its connection, before upstream hears of it."""
    return Vector(name, section, sends, gets=Error(status, code, last=True), ends="closed", **more)  # type: ignore[arg-type]


def passed(name: str, section: str, sends: Steps, sees: bytes, gets: bytes = OK, **more: object) -> Vector:
    """A request that upstream sees and answers."""
    return Vector(name, section, sends, (sees,), gets, **more)  # type: ignore[arg-type]
