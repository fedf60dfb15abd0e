"""Another protocol on the same connection: RFC 9110 section 7.8, RFC 6455 section 4."""

from __future__ import annotations

from . import GET, OK, SEEN, Arrived, Await, Close, Error, HalfClose, Pause, Reset, Vector, asked, asks, lines

ASKS = (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x==")
REQUEST = asks(b"GET /v1/realtime HTTP/1.1", *ASKS)
FIELDS = (b"Sec-WebSocket-Key: x==", b"Connection: Upgrade", b"Upgrade: websocket")
SEEN_REQUEST = asked(b"GET /v1/realtime HTTP/1.1", *FIELDS)
AGREED = lines(
    b"HTTP/1.1 101 Switching Protocols", b"Sec-WebSocket-Accept: y=", b"Connection: Upgrade", b"Upgrade: websocket"
)
BARE = b"GET /v1/x HTTP/1.1\r\nHost: proxy\r\n\r\n"
FRAME = b"\x81\x02hi"
NOT_HTTP = b"\r\n\r\nGET / HTTP/1.1\r\n\r\n\0\xff"


def not_asked(name: str, section: str, *fields: bytes, first: bytes = b"GET /v1/x HTTP/1.1") -> Vector:
    """A request of which upstream does not learn that it asked for another protocol."""
    return Vector(name, section, asks(first, *fields), [asked(b"GET /v1/x HTTP/1.1")], OK)


VECTORS = [
    Vector("agreed", "9110 15.2.2", REQUEST, [SEEN_REQUEST], AGREED, [AGREED]),
    Vector("upstream speaks first", "6455 4.2.2", REQUEST, [SEEN_REQUEST], AGREED + FRAME, [AGREED + FRAME]),
    Vector(
        "the client speaks after it",
        "6455 4.1",
        (REQUEST, Await(b"\r\n\r\n"), FRAME, Await(b"bye"), NOT_HTTP),
        [SEEN_REQUEST],
        AGREED + b"bye!",
        [(AGREED, Await(FRAME), b"bye", Await(NOT_HTTP), b"!")],
        partial=FRAME + NOT_HTTP,
    ),
    Vector(
        "the client does not wait",
        "9110 7.8",
        REQUEST + FRAME + NOT_HTTP,
        [SEEN_REQUEST],
        AGREED + b"bye",
        [(AGREED, Await(NOT_HTTP), b"bye")],
        partial=FRAME + NOT_HTTP,
    ),
    Vector(
        "bytes that look like HTTP are not",
        "9110 7.8",
        (REQUEST, Await(b"\r\n\r\n"), BARE),
        [SEEN_REQUEST],
        AGREED + OK,
        [(AGREED, Await(b"\r\n\r\n"), OK)],
        partial=BARE,
    ),
    Vector(
        "upstream closes",
        "6455 7.1.1",
        REQUEST,
        [SEEN_REQUEST],
        AGREED + FRAME,
        [(AGREED + FRAME, Pause(), Close())],
        ends="closed",
        dropped=True,
    ),
    Vector(
        "upstream breaks off",
        "6455 7.1.7",
        REQUEST,
        [SEEN_REQUEST],
        AGREED + FRAME,
        [(AGREED + FRAME, Arrived(FRAME), Reset())],
        ends="broken",
        dropped=True,
    ),
    Vector(
        "the client closes",
        "6455 7.1.1",
        (REQUEST, Await(b"\r\n\r\n"), HalfClose()),
        [SEEN_REQUEST],
        AGREED,
        [AGREED],
        ends="closed",
        dropped=True,
    ),
    Vector(
        "token of a browser",
        "6455 4.1",
        lines(
            b"GET /v1/realtime HTTP/1.1",
            b"Host: proxy",
            *ASKS,
            b"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.TOKEN, openai-beta.realtime-v1",
        ),
        [
            lines(
                b"GET /v1/realtime HTTP/1.1",
                b"Host: ORIGIN",
                b"Sec-WebSocket-Key: x==",
                b"Sec-WebSocket-Protocol: realtime, openai-beta.realtime-v1",
                b"Authorization: Bearer KEY",
                *FIELDS[1:],
            )
        ],
        AGREED.replace(b"Connection", b"Sec-WebSocket-Protocol: realtime\r\nConnection"),
        [AGREED.replace(b"Connection", b"Sec-WebSocket-Protocol: realtime\r\nConnection")],
    ),
    Vector(
        "in another spelling",
        "9110 7.8",
        asks(b"GET /v1/realtime HTTP/1.1", b"connection: UPGRADE", b"upgrade: x, WebSocket"),
        [asked(b"GET /v1/realtime HTTP/1.1", b"Connection: Upgrade", b"Upgrade: WebSocket")],
        AGREED,
        [AGREED],
    ),
    Vector(
        "an interim response first",
        "9110 15.2",
        REQUEST,
        [SEEN_REQUEST],
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + AGREED,
        [b"HTTP/1.1 103 Early Hints\r\n\r\n" + AGREED],
    ),
    Vector("not agreed", "9110 7.8", (REQUEST, Await(b"ok"), GET), [SEEN_REQUEST, SEEN], OK + OK),
    Vector(
        "refused by upstream",
        "9110 15.5.22",
        (REQUEST, Await(b"no"), GET),
        [SEEN_REQUEST, SEEN],
        b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nno" + OK,
        [b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno"],
    ),
    Vector(
        "not agreed, and the next request is here already", "9110 7.8", REQUEST + GET, [SEEN_REQUEST, SEEN], OK + OK
    ),
    Vector(
        "101 that names no protocol",
        "9110 15.2.2",
        REQUEST,
        [SEEN_REQUEST],
        Error(502, "upstream_protocol_error"),
        [b"HTTP/1.1 101 Switching Protocols\r\n\r\n"],
        dropped=True,
    ),
    Vector(
        "a stranger's",
        "9110 7.8",
        lines(b"GET /v1/realtime HTTP/1.1", b"Host: proxy", b"Authorization: Bearer sk-" + b"B" * 22, *ASKS),
        gets=Error(401, "token_not_found"),
    ),
    not_asked(
        "HTTP/2 in clear",
        "9113 3.1",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABk",
    ),
    not_asked("TLS", "2817 3.1", b"Connection: Upgrade", b"Upgrade: TLS/1.0"),
    not_asked("not named by Connection", "9110 7.8", b"Upgrade: websocket"),
    not_asked("Connection alone", "9110 7.8", b"Connection: Upgrade"),
    Vector(
        "HTTP/1.0",
        "9110 7.8",
        asks(b"GET /v1/x HTTP/1.0", b"Connection: Upgrade", b"Upgrade: websocket"),
        [SEEN],
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        ends="closed",
    ),
    Vector(
        "with content",
        "9110 7.8",
        asks(b"POST /v1/x HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 3") + b"abc",
        [asked(b"POST /v1/x HTTP/1.1", b"Content-Length: 3") + b"abc"],
        OK,
    ),
]
