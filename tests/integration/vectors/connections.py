"""What a client's connection is used for, and how long: RFC 9112 section 9, RFC 9110 sections 7.8, 9.3.2 and 10.1.1."""

from __future__ import annotations

from . import GET, OK, SEEN, Await, Error, HalfClose, Pause, Vector, asked, asks, lines

POST = b"POST /v1/x HTTP/1.1"
EXPECT = b"Expect: 100-continue"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
KEPT = LAST.replace(b"close", b"keep-alive")
BAD_TOKEN = lines(b"GET /v1/x HTTP/1.1", b"Host: proxy", b"Authorization: Bearer sk-" + b"B" * 22)


def numbered(count: int) -> list[bytes]:
    """Answers that can be told apart."""
    return [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%03d" % number for number in range(count)]


PIPELINES = [
    Vector(
        "three together",
        "9112 9.3.2",
        b"".join(asks(b"GET /v1/%d HTTP/1.1" % number) for number in range(3)),
        [asked(b"GET /v1/%d HTTP/1.1" % number) for number in range(3)],
        b"".join(numbered(3)),
        numbered(3),
    ),
    Vector(
        "two hundred together",
        "9112 9.3.2",
        b"".join(asks(b"GET /v1/%d HTTP/1.1" % number) for number in range(200)),
        [asked(b"GET /v1/%d HTTP/1.1" % number) for number in range(200)],
        b"".join(numbered(200)),
        numbered(200),
    ),
    Vector(
        "the first one is slow",
        "9112 9.3.2",
        GET + asks(b"GET /v1/second HTTP/1.1"),
        [SEEN, asked(b"GET /v1/second HTTP/1.1")],
        b"".join(numbered(2)),
        [(Pause(0.05), numbered(1)[0]), numbered(2)[1]],
    ),
    Vector(
        "bodies between them",
        "9112 9.3.2",
        asks(POST, b"Content-Length: 3")
        + b"abc"
        + GET
        + asks(POST, b"Transfer-Encoding: chunked")
        + b"0\r\n\r\n"
        + GET,
        [
            asked(POST, b"Content-Length: 3") + b"abc",
            SEEN,
            asked(POST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
            SEEN,
        ],
        OK * 4,
    ),
    Vector("empty lines between them", "9112 2.2", GET + b"\r\n\r\n" + GET, [SEEN, SEEN], OK + OK),
    Vector(
        "a refusal comes in its turn",
        "9112 9.3.2",
        GET + b"GET /v1/x HTTP/1.1\r\n\r\n" + GET,
        [SEEN],
        Error(400, "malformed_request", before=OK, last=True),
        ends="closed",
    ),
    Vector(
        "a bad token does not end the connection",
        "9112 9.3",
        GET + BAD_TOKEN,
        [SEEN],
        Error(401, "token_not_found", before=OK),
    ),
    Vector(
        "after close nothing is served",
        "9112 9.6",
        asks(b"GET /v1/x HTTP/1.1", b"Connection: close") + GET,
        [SEEN],
        LAST,
        ends="closed",
    ),
    Vector(
        "after a HEAD",
        "9110 9.3.2",
        asks(b"HEAD /v1/x HTTP/1.1") + GET,
        [asked(b"HEAD /v1/x HTTP/1.1"), SEEN],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + OK,
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", OK],
    ),
    Vector("half of a second one", "9112 9.3.2", (GET + GET[:30], Await(b"ok"), GET[30:]), [SEEN, SEEN], OK + OK),
]

PERSISTENCE = [
    Vector("one after another", "9112 9.3", (GET, Await(b"ok"), GET), [SEEN, SEEN], OK + OK),
    Vector(
        "close in a list", "9112 9.6", asks(b"GET /v1/x HTTP/1.1", b"Connection: x, CLOSE"), [SEEN], LAST, ends="closed"
    ),
    Vector(
        "close on a second line",
        "9110 7.6.1",
        asks(b"GET /v1/x HTTP/1.1", b"Connection: x", b"Connection: close"),
        [SEEN],
        LAST,
        ends="closed",
    ),
    Vector(
        "close and keep-alive",
        "9112 9.3",
        asks(b"GET /v1/x HTTP/1.1", b"Connection: close, keep-alive"),
        [SEEN],
        LAST,
        ends="closed",
    ),
    Vector(
        "a word that begins with close",
        "9110 7.6.1",
        (asks(b"GET /v1/x HTTP/1.1", b"Connection: closed"), Await(b"ok"), GET),
        [SEEN, SEEN],
        OK + OK,
    ),
    Vector(
        "upstream closes, the client's connection stays",
        "9112 9.6",
        (GET, Await(b"ok"), GET),
        [SEEN, SEEN],
        OK + OK,
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", OK],
        dropped=True,
    ),
    Vector(
        "client that sends no more and waits",
        "9112 9.6",
        (GET, Pause(), HalfClose()),
        [SEEN],
        LAST,
        [(Pause(0.05), OK)],
        ends="closed",
    ),
    Vector(
        "all that it asked for before",
        "9112 9.6",
        (GET + GET + GET[:20], Pause(), HalfClose()),
        [SEEN, SEEN],
        OK + LAST,
        [(Pause(0.05), OK), OK],
        ends="closed",
    ),
    Vector("client that sends no more within a head", "9112 8", (GET[:40], Pause(), HalfClose()), ends="closed"),
    Vector("client that sends nothing", "9112 9.6", (HalfClose(),), ends="closed"),
]

OLD = [
    Vector("HTTP/1.0", "9112 9.3", asks(b"GET /v1/x HTTP/1.0"), [SEEN], LAST, ends="closed"),
    Vector(
        "HTTP/1.0 that is kept",
        "9112 9.3",
        (asks(b"GET /v1/x HTTP/1.0", b"Connection: keep-alive"), Await(b"ok"), asks(b"GET /v1/x HTTP/1.0")),
        [SEEN, SEEN],
        KEPT + LAST,
        ends="closed",
    ),
    Vector(
        "HTTP/1.0, kept only between proxies",
        "9112 C.2.2",
        asks(b"GET /v1/x HTTP/1.0", b"Proxy-Connection: keep-alive"),
        [SEEN],
        LAST,
        ends="closed",
    ),
    Vector(
        "HTTP/1.0 with a body",
        "9112 6.3",
        asks(b"POST /v1/x HTTP/1.0", b"Content-Length: 3") + b"abc",
        [asked(POST, b"Content-Length: 3") + b"abc"],
        LAST,
        ends="closed",
    ),
    Vector(
        "HTTP/1.0 gets no chunks",
        "9112 7.1",
        asks(b"GET /v1/x HTTP/1.0"),
        [SEEN],
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde",
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"],
        ends="closed",
    ),
    Vector(
        "HTTP/1.0 is not kept without a length",
        "9112 6.3",
        asks(b"GET /v1/x HTTP/1.0", b"Connection: keep-alive"),
        [SEEN],
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
        ends="closed",
    ),
    Vector(
        "HTTP/1.0 gets no interim responses",
        "9110 15.2",
        asks(b"GET /v1/x HTTP/1.0"),
        [SEEN],
        LAST,
        [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK],
        ends="closed",
    ),
    Vector(
        "HTTP/1.0 does not expect",
        "9110 10.1.1",
        (asks(b"POST /v1/x HTTP/1.0", b"Content-Length: 3", EXPECT), Pause(), b"abc"),
        [asked(POST, b"Content-Length: 3") + b"abc"],
        LAST,
        ends="closed",
    ),
    Vector(
        "HTTP/1.0 and a HEAD",
        "9110 9.3.2",
        asks(b"HEAD /v1/x HTTP/1.0"),
        [asked(b"HEAD /v1/x HTTP/1.1")],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n",
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"],
        ends="closed",
    ),
]

VECTORS = PIPELINES + PERSISTENCE + OLD
