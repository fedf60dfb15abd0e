"""Upstream answers before it has the whole request: RFC 9112 section 9.5, RFC 9110 section 15.5.14."""

from __future__ import annotations

from . import OK, Await, Pause, Vector, asked, asks

BIG = asks(b"POST /v1/x HTTP/1.1", b"Content-Length: 1000000")
SEEN = asked(b"POST /v1/x HTTP/1.1", b"Content-Length: 1000000")
REFUSED = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
LAST = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"

VECTORS = [
    Vector(
        "an upload that upstream does not want",
        "9112 9.5",
        (BIG + b"x" * 1000, Await(b"big")),
        [SEEN],
        LAST,
        [REFUSED],
        ends="closed",
        dropped=True,
        partial=None,
    ),
    Vector(
        "and that goes on",
        "9112 9.5",
        (BIG + b"x" * 1000, Await(b"big"), b"x" * 100_000, Pause()),
        [SEEN],
        LAST,
        [REFUSED],
        ends="closed",
        dropped=True,
        partial=None,
    ),
    Vector(
        "a client that waits to be asked",
        "9110 10.1.1",
        (asks(b"POST /v1/x HTTP/1.1", b"Content-Length: 1000000", b"Expect: 100-continue"), Await(b"big")),
        [asked(b"POST /v1/x HTTP/1.1", b"Content-Length: 1000000", b"Expect: 100-continue")],
        LAST,
        [REFUSED],
        ends="closed",
        dropped=True,
        partial=None,
    ),
    Vector(
        "answered while the upload goes on",
        "9112 9.3",
        (asks(b"POST /v1/x HTTP/1.1", b"Content-Length: 6") + b"abc", Await(b"ok"), b"def"),
        [asked(b"POST /v1/x HTTP/1.1", b"Content-Length: 6")],
        OK,
        [OK],
        partial=None,
        dropped=True,
    ),
]
