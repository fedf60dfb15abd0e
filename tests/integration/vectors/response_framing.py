"""
Where a response ends, and what becomes of its connection: RFC 9112 sections 6 to 9.

A response that breaks off is passed on as a part that anyone can see is one.
"""

from __future__ import annotations

from . import GET, OK, SEEN, Arrived, Await, Close, Dropped, Error, HalfClose, Pause, Reset, Steps, Vector, asked, asks
from .responses import CHUNKED, SIZED, answer, bad, becomes, same

POST = asks(b"POST /v1/x HTTP/1.1", b"Content-Length: 3") + b"abc"
SEEN_POST = asked(b"POST /v1/x HTTP/1.1", b"Content-Length: 3") + b"abc"


def cut(name: str, section: str, sent: Steps, gets: bytes) -> Vector:
    """A response that breaks off: the client gets the part, and sees that it is one."""
    return Vector(name, section, GET, [SEEN], gets, [sent], ends="broken", dropped=True)


FRAMING = [
    same("length of nothing", "9110 8.6", answer(b"Content-Length: 0")),
    same("length", "9112 6.2", SIZED + b"\r\n\r\n\0"),
    same("chunks", "9112 7.1", CHUNKED + b"5\r\nabcde\r\n0\r\n\r\n"),
    same("no chunk", "9112 7.1", CHUNKED + b"0\r\n\r\n"),
    becomes(
        "chunks in one read become one",
        "9112 7.1",
        CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nabcde\r\n0\r\n\r\n",
    ),
    becomes(
        "extensions end here",
        "9112 7.1.1",
        CHUNKED + b'3;a="b"\r\nabc\r\n0;x\r\n\r\n',
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
    ),
    same("trailers", "9112 7.1.2", CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-two: 2\r\n\r\n"),
    becomes(
        "trailers of the connection",
        "9110 6.5.1",
        CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nKeep-Alive: 5\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
    becomes(
        "ended by its connection",
        "9112 6.3",
        (b"HTTP/1.1 200 OK\r\n\r\nabc", Close()),
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
        dropped=True,
    ),
    becomes(
        "ended by its connection, of nothing",
        "9112 6.3",
        (b"HTTP/1.1 200 OK\r\n\r\n", Close()),
        CHUNKED + b"0\r\n\r\n",
        dropped=True,
    ),
    becomes(
        "ended by its connection, HTTP/1.0",
        "9112 6.3",
        (b"HTTP/1.0 200 OK\r\n\r\nabc", Close()),
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
        dropped=True,
    ),
    becomes(
        "half-closed by upstream",
        "9112 6.3",
        (b"HTTP/1.1 200 OK\r\n\r\nabc", HalfClose()),
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
        dropped=True,
    ),
    becomes(
        "closes after it",
        "9112 9.6",
        (answer(b"Connection: close", b"Content-Length: 2") + b"ok", Close()),
        OK,
        dropped=True,
    ),
    becomes("closes after it, unannounced", "9112 9.6", (OK, Pause(), Close()), OK, dropped=True),
    becomes(
        "byte for byte",
        "9112 7.1",
        [each for at in range(len(SIZED)) for each in (SIZED[at : at + 1], Pause(0.001))] + [b"abcde"],
        SIZED + b"abcde",
    ),
    bad("length and coding", "9112 6.3", answer(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    bad("coding and length", "9112 6.3", answer(b"Transfer-Encoding: chunked", b"Content-Length: 2") + b"0\r\n\r\n"),
    bad("two lengths", "9112 6.3", answer(b"Content-Length: 2", b"Content-Length: 3") + b"abc"),
    bad("list of lengths", "9112 6.3", answer(b"Content-Length: 2, 3") + b"abc"),
    bad("negative length", "9110 8.6", answer(b"Content-Length: -2") + b"ok"),
    bad("length with a sign", "9110 8.6", answer(b"Content-Length: +2") + b"ok"),
    bad("length of letters", "9110 8.6", answer(b"Content-Length: two") + b"ok"),
    bad("length of nothing written", "9110 8.6", answer(b"Content-Length:") + b"ok"),
    bad("length beyond 64 bits", "9110 8.6", answer(b"Content-Length: 18446744073709551618") + b"ok"),
    bad("compressed coding", "9112 6.1", answer(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"),
    bad("compressed to the end", "9112 6.1", (answer(b"Transfer-Encoding: gzip") + b"xyz", Close())),
    bad("identity", "9112 7", (answer(b"Transfer-Encoding: identity") + b"xyz", Close())),
    bad("chunked twice", "9112 6.1", answer(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n"),
    bad(
        "coding on two lines",
        "9112 6.1",
        answer(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    ),
    becomes(
        "coding in HTTP/1.0",
        "9112 6.1",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
        dropped=True,
    ),
    bad("size that is none", "9112 7.1", CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"),
    bad("negative size", "9112 7.1", CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n"),
    bad("size beyond 64 bits", "9112 7.1", CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    bad("size ended by a bare LF", "9112 7.1", CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    bad("size and a bare CR", "9112 7.1", CHUNKED + b"3\rabc\r\n0\r\n\r\n"),
    bad("content longer than its size", "9112 7.1", CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    bad("trailer without a colon", "9112 7.1.2", CHUNKED + b"3\r\nabc\r\n0\r\nX\r\n\r\n"),
    bad("length in a trailer", "9110 6.5.1", CHUNKED + b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
]


CUT = [
    cut("within its length", "9112 8", (SIZED + b"abc", Pause(), Close()), SIZED + b"abc"),
    cut("within its length, by a reset", "9112 8", (SIZED + b"abc", Arrived(b"abc"), Reset()), SIZED + b"abc"),
    cut("before its content", "9112 8", (SIZED, Pause(), Close()), SIZED),
    cut("within a chunk", "9112 8", (CHUNKED + b"5\r\nabc", Pause(), Close()), CHUNKED + b"3\r\nabc\r\n"),
    cut("between two chunks", "9112 8", (CHUNKED + b"3\r\nabc\r\n", Pause(), Close()), CHUNKED + b"3\r\nabc\r\n"),
    cut(
        "within the last chunk", "9112 8", (CHUNKED + b"3\r\nabc\r\n0\r\n", Pause(), Close()), CHUNKED + b"3\r\nabc\r\n"
    ),
    cut(
        "within its trailers",
        "9112 8",
        (CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum:", Pause(), Close()),
        CHUNKED + b"3\r\nabc\r\n",
    ),
    cut(
        "by a reset, where the connection is its end",
        "9112 8",
        (b"HTTP/1.1 200 OK\r\n\r\nabc", Arrived(b"abc"), Reset()),
        CHUNKED + b"3\r\nabc\r\n",
    ),
    cut(
        "by a chunk that is none",
        "9112 7.1",
        (CHUNKED + b"3\r\nabc\r\n", Arrived(b"abc"), b"zz\r\n"),
        CHUNKED + b"3\r\nabc\r\n",
    ),
    cut(
        "by a chunk that is longer than its size",
        "9112 7.1",
        (CHUNKED + b"3\r\nabc\r\n", Arrived(b"abc"), b"1\r\nxyz\r\n"),
        CHUNKED + b"3\r\nabc\r\n",
    ),
    cut(
        "by framing in its trailers",
        "9110 6.5.1",
        (CHUNKED + b"3\r\nabc\r\n", Arrived(b"abc"), b"0\r\nTransfer-Encoding: x\r\n\r\n"),
        CHUNKED + b"3\r\nabc\r\n",
    ),
    bad("before its head", "9112 8", Close(), "upstream_reset"),
    bad("before its head, by a reset", "9112 8", Reset(), "upstream_reset"),
    bad("within its status line", "9112 8", (b"HTTP/1.1 20", Pause(), Close()), "upstream_reset"),
    bad("within its head", "9112 8", (b"HTTP/1.1 200 OK\r\nContent-Le", Pause(), Close()), "upstream_reset"),
    bad("after an interim response", "9112 8", (b"HTTP/1.1 100 Continue\r\n\r\n", Pause(), Close()), "upstream_reset"),
]


REUSE = [
    Vector(
        "more than its answer",
        "9112 9.2",
        (GET, Await(b"ok"), Dropped(), GET),
        [SEEN, SEEN],
        OK + OK,
        [OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", OK],
        dropped=True,
    ),
    Vector(
        "more than its answer, later",
        "9112 9.2",
        (GET, Await(b"ok"), Dropped(), GET),
        [SEEN, SEEN],
        OK + OK,
        [(OK, Pause(0.02), b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"), OK],
        dropped=True,
    ),
    Vector(
        "a goodbye while idle",
        "9110 15.5.9",
        (GET, Await(b"ok"), Dropped(), GET),
        [SEEN, SEEN],
        OK + OK,
        [(OK, Pause(0.02), b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", Close()), OK],
        dropped=True,
    ),
    Vector(
        "empty lines after its answer",
        "9112 2.2",
        (GET, Await(b"ok"), Dropped(), GET),
        [SEEN, SEEN],
        OK + OK,
        [(OK, Pause(), b"\r\n\r\n"), OK],
        dropped=True,
    ),
    Vector(
        "closed while idle",
        "9112 9.3.1",
        (GET, Await(b"ok"), Dropped(), Pause(), POST),
        [SEEN, SEEN_POST],
        OK + OK,
        [(OK, Pause(), Close()), OK],
        dropped=True,
    ),
    Vector(
        "closed under a request that is safe",
        "9112 9.3.1",
        (GET, Await(b"ok"), GET),
        [SEEN, SEEN, SEEN],
        OK + OK,
        [OK, Close(), OK],
        dropped=True,
    ),
    Vector(
        "and again: once is enough",
        "9112 9.3.1",
        (GET, Await(b"ok"), GET),
        [SEEN, SEEN, SEEN],
        Error(502, "upstream_reset", before=OK),
        [OK, Close(), Close()],
        dropped=True,
    ),
    Vector(
        "closed under a request that is not safe",
        "9112 9.3.1",
        (GET, Await(b"ok"), POST),
        [SEEN, SEEN_POST],
        Error(502, "upstream_reset", before=OK),
        [OK, Close()],
        dropped=True,
    ),
    Vector(
        "closed after the first byte",
        "9112 9.3.1",
        (GET, Await(b"ok"), GET),
        [SEEN, SEEN],
        Error(502, "upstream_reset", before=OK),
        [OK, (b"H", Pause(), Close())],
        dropped=True,
    ),
    Vector(
        "closed under the first request",
        "9112 9.3.1",
        GET,
        [SEEN],
        Error(502, "upstream_reset"),
        [Close()],
        dropped=True,
    ),
]

VECTORS = FRAMING + CUT + REUSE
