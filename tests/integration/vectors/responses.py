"""What upstream may answer, and what it must not: RFC 9112 sections 4 to 9, RFC 9110 sections 6, 8.6 and 15."""

from __future__ import annotations

from . import GET, OK, SEEN, Await, Error, Pause, Steps, Vector, asked, asks, lines

HEAD = asks(b"HEAD /v1/x HTTP/1.1")
SEEN_HEAD = asked(b"HEAD /v1/x HTTP/1.1")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def answer(*fields: bytes, status: bytes = b"200 OK") -> bytes:
    """The head of a response."""
    return lines(b"HTTP/1.1 " + status, *fields)


def same(name: str, section: str, response: bytes) -> Vector:
    """A response that the client gets as upstream wrote it, on a connection that serves the next request."""
    return Vector(name, section, (GET, Await(response[-2:]), GET), [SEEN, SEEN], response + OK, [response, OK])


def becomes(name: str, section: str, sent: Steps, gets: bytes, dropped: bool = False) -> Vector:
    """A response of which the client gets another form, on a connection that serves the next request."""
    return Vector(name, section, (GET, Await(gets[-4:]), GET), [SEEN, SEEN], gets + OK, [sent, OK], dropped=dropped)


def bad(name: str, section: str, sent: Steps, code: str = "upstream_protocol_error") -> Vector:
    """A response of which the client gets nothing but that it was none; upstream's connection is not used again."""
    return Vector(
        name,
        section,
        (GET, Await(code.encode()), GET),
        [SEEN, SEEN],
        Error(502, code, after=OK),
        [sent, OK],
        dropped=True,
    )


STATUS_LINES = [
    same("status line", "9112 4", OK),
    same("reason of several words", "9112 4", answer(b"Content-Length: 2", status=b"200 All is well") + b"ok"),
    same("reason beyond ASCII", "9112 4", answer(b"Content-Length: 2", status=b"200 \xe7a va") + b"ok"),
    same("no reason", "9112 4", answer(b"Content-Length: 2", status=b"200 ") + b"ok"),
    becomes(
        "no reason and no space",
        "9112 4",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        answer(b"Content-Length: 2", status=b"200 ") + b"ok",
    ),
    same("status that nobody knows", "9110 15", answer(b"Content-Length: 2", status=b"299 Odd") + b"ok"),
    same("status beyond the classes", "9110 15", answer(b"Content-Length: 2", status=b"777 Lucky") + b"ok"),
    same(
        "redirect is the client's",
        "9110 15.4",
        answer(b"Location: https://else.example/", b"Content-Length: 2", status=b"307 Elsewhere") + b"go",
    ),
    same(
        "error of upstream's own",
        "9110 15.6.3",
        answer(b"Retry-After: 7", b"Content-Length: 4", status=b"502 Bad Gateway") + b"down",
    ),
    same(
        "unauthorized by upstream",
        "9110 15.5.2",
        answer(b"WWW-Authenticate: Bearer", b"Content-Length: 2", status=b"401 No") + b"no",
    ),
    becomes(
        "HTTP/1.0 that is kept",
        "9112 9.3",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        OK,
    ),
    becomes("HTTP/1.0 that closes", "9112 9.3", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", OK, dropped=True),
    bad("no HTTP at all", "9112 4", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    bad("HTTP/0.9", "9112 4", b"<html>hello</html>\r\n\r\n"),
    bad("HTTP/2", "9112 2.3", b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    bad("a version that is none", "9112 2.3", b"HTTP/11 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    bad("another protocol", "9112 4", b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    bad("status of two digits", "9112 4", b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"),
    bad("status of four digits", "9112 4", b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"),
    bad("status of letters", "9112 4", b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok"),
    bad("status below a hundred", "9110 15", b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok"),
    bad("NUL in the reason", "9112 4", b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok"),
    bad("bare CR in the reason", "9112 4", b"HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok"),
    bad("a request for an answer", "9112 4", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
]


FIELDS = [
    same(
        "case, order and repeats",
        "9110 5.3",
        answer(b"sERVER: x", b"Set-Cookie: a=1", b"X: 1", b"set-cookie: b=2", b"Content-Length: 2") + b"ok",
    ),
    same(
        "content coding",
        "9110 8.4",
        answer(b"Content-Encoding: gzip", b"Vary: Accept-Encoding", b"Content-Length: 4") + b"\x1f\x8b\0\xff",
    ),
    same("bytes beyond ASCII", "9110 5.5", answer(b"A: caf\xe9", b"Content-Length: 2") + b"ok"),
    same(
        "caching",
        "9111 5.2",
        answer(b"Cache-Control: max-age=5, private", b"Age: 3", b'ETag: W/"x"', b"Content-Length: 2") + b"ok",
    ),
    same(
        "partial content",
        "9110 15.3.7",
        answer(b"Content-Range: bytes 0-1/9", b"Content-Length: 2", status=b"206 Part") + b"ok",
    ),
    becomes(
        "events",
        "9110 8.3",
        answer(b"Content-Type: text/event-stream; charset=utf-8", b"Content-Length: 11") + b"data: {}\n\n\n",
        answer(b"Content-Type: text/event-stream; charset=utf-8", b"Content-Length: 11", b"X-Accel-Buffering: no")
        + b"data: {}\n\n\n",
    ),
    becomes(
        "fields of the connection",
        "9110 7.6.1",
        answer(
            b"Connection: keep-alive, X-Hop",
            b"Keep-Alive: timeout=5",
            b"X-Hop: 1",
            b"Proxy-Authenticate: Basic",
            b"Upgrade: h2c",
            b"Content-Length: 2",
        )
        + b"ok",
        OK,
    ),
    becomes(
        "Connection cannot take away the length",
        "9110 7.6.1",
        answer(b"Connection: Content-Length", b"Content-Length: 2") + b"ok",
        OK,
    ),
    becomes(
        "white space around a value",
        "9112 5.1",
        b"HTTP/1.1 200 OK\r\nContent-Length:\t2 \r\nA:  b\t\r\n\r\nok",
        answer(b"Content-Length: 2", b"A: b") + b"ok",
    ),
    bad("space before a colon", "9112 5.1", answer(b"X : y", b"Content-Length: 2") + b"ok"),
    bad("folded line", "9112 5.2", answer(b"X: y", b" z", b"Content-Length: 2") + b"ok"),
    bad("no colon", "9112 5", answer(b"X", b"Content-Length: 2") + b"ok"),
    bad("no name", "9110 5.1", answer(b": x", b"Content-Length: 2") + b"ok"),
    bad("space in a name", "9110 5.1", answer(b"X Y: z", b"Content-Length: 2") + b"ok"),
    bad("NUL in a value", "9110 5.5", answer(b"X: y\0z", b"Content-Length: 2") + b"ok"),
    bad("bare CR in a value", "9112 2.2", answer(b"X: y\rZ: z", b"Content-Length: 2") + b"ok"),
    bad("bare LF in a value", "9112 2.2", answer(b"X: y\nZ: z", b"Content-Length: 2") + b"ok"),
    bad("bare LFs", "9112 2.2", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    bad("endless section", "9110 5.4", answer(*[b"X-%d: " % number + b"y" * 1000 for number in range(80)])),
    bad("endless line", "9110 5.4", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 80_000),
]


BODILESS = [
    Vector(
        "HEAD with a length",
        "9110 9.3.2",
        (HEAD, Await(b"\r\n\r\n"), GET),
        [SEEN_HEAD, SEEN],
        answer(b"Content-Length: 99") + OK,
        [answer(b"Content-Length: 99"), OK],
    ),
    Vector(
        "HEAD without framing",
        "9110 9.3.2",
        (HEAD, Await(b"\r\n\r\n"), GET),
        [SEEN_HEAD, SEEN],
        answer(b"A: b") + OK,
        [answer(b"A: b"), OK],
    ),
    Vector(
        "HEAD that would be chunked",
        "9110 9.3.2",
        (HEAD, Await(b"\r\n\r\n"), GET),
        [SEEN_HEAD, SEEN],
        answer() + OK,
        [answer(b"Transfer-Encoding: chunked"), OK],
    ),
    Vector(
        "content for a HEAD",
        "9110 9.3.2",
        (HEAD, Await(b"\r\n\r\n"), GET),
        [SEEN_HEAD, SEEN],
        SIZED + OK,
        [(SIZED, Pause(), b"abcde"), OK],
        dropped=True,
    ),
    same("204", "9110 15.3.5", answer(b"A: b", status=b"204 No Content")),
    becomes(
        "204 with a length",
        "9110 8.6",
        answer(b"Content-Length: 0", status=b"204 No Content"),
        answer(status=b"204 No Content"),
    ),
    same("304", "9110 15.4.5", answer(b'ETag: "x"', status=b"304 Not Modified")),
    same(
        "304 with the length of what is not sent", "9110 8.6", answer(b"Content-Length: 99", status=b"304 Not Modified")
    ),
    becomes(
        "304 that would be chunked",
        "9112 6.3",
        answer(b"Transfer-Encoding: chunked", status=b"304 Not Modified"),
        answer(status=b"304 Not Modified"),
    ),
    becomes(
        "204 that would be chunked",
        "9112 6.1",
        answer(b"Transfer-Encoding: chunked", status=b"204 No Content"),
        answer(status=b"204 No Content"),
    ),
    same("205", "9110 15.3.6", answer(b"Content-Length: 0", status=b"205 Reset")),
]


INTERIM = [
    becomes("100 is not the client's", "9110 15.2.1", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, OK),
    same("103", "8297 2", b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + OK),
    same("102", "2518 10.1", b"HTTP/1.1 102 Processing\r\n\r\n" + OK),
    same("several", "9110 15.2", b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 3 + OK),
    becomes(
        "each in its time",
        "9110 15.2",
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", Pause(), b"HTTP/1.1 100 Continue\r\n\r\n", Pause(), OK),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
    ),
    becomes(
        "fields of the connection in it",
        "9110 7.6.1",
        b"HTTP/1.1 103 Early Hints\r\nKeep-Alive: 5\r\nA: b\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK,
    ),
    becomes(
        "it says close",
        "9112 9.6",
        b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
    ),
    bad(
        "101 that nobody asked for",
        "9110 15.2.2",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ),
]

VECTORS = STATUS_LINES + FIELDS + BODILESS + INTERIM
