"""More than one client may ask: RFC 9110 sections 15.5.9 and 15.5.14, RFC 9112 section 3, RFC 6585 section 5."""

from __future__ import annotations

from llmproxy.core.clientlimits import Limits

from ..harness import MANAGEMENT_TOKEN
from . import GET, OK, Error, Pause, Steps, Vector, asked, asks, lines, passed, refused

LIMITS = Limits(
    target=100,
    head=1024,
    fields=10,
    body=1024,
    waiting=2000,
    head_time=0.3,
    body_silence=0.3,
    idle=0.4,
    closing=0.3,
    connections=30,
    connections_per_client=20,
)
"""Of the proxy that these vectors are for."""

POST = b"POST /v1/x HTTP/1.1"
MANAGE = lines(
    b"POST /manage/projects HTTP/1.1",
    b"Host: proxy",
    b"Authorization: Bearer " + MANAGEMENT_TOKEN.encode(),
    b"Content-Type: application/json",
)
WHOLE = MANAGE[:-2] + b"Content-Length: %d\r\n\r\n"
CHUNKED = MANAGE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
LONGEST = b"GET /v1/" + b"x" * 96 + b" HTTP/1.1"
"""A target of a hundred bytes."""

FULL = asks(b"GET /v1/x HTTP/1.1", b"A: " + b"x" * (1024 - len(GET.replace(b"TOKEN", b"k" * 25)) - 5))


def too_long(name: str, sends: Steps) -> Vector:
    return refused(name, "9110 15.5.15", sends, 414, "target_too_long")


def too_large(name: str, sends: Steps) -> Vector:
    return refused(name, "6585 5", sends, 431, "header_too_large")


def too_much(name: str, sends: Steps) -> Vector:
    return refused(name, "9110 15.5.14", sends, 413, "content_too_large")


SIZES = [
    passed("target as long as may be", "9110 15.5.15", asks(LONGEST), asked(LONGEST)),
    too_long("target that is one byte longer", asks(LONGEST.replace(b" HTTP", b"x HTTP"))),
    too_long("target without an end", b"GET /v1/" + b"x" * 400),
    too_long("target that comes in pieces", [b"GET /v1/", Pause(), b"x" * 60, Pause(), b"x" * 60]),
    too_long("absolute form", asks(b"GET http://proxy/v1/" + b"x" * 100 + b" HTTP/1.1")),
    passed("head as large as may be", "6585 5", FULL, asked(b"GET /v1/x HTTP/1.1", FULL.split(b"\r\n")[3])),
    too_large("head that is one byte larger", FULL.replace(b"A: ", b"A: x")),
    too_large("field without an end", lines(b"GET /v1/x HTTP/1.1", b"Host: proxy")[:-2] + b"A: " + b"x" * 2000),
    too_large("field that comes in pieces", [GET[:-2] + b"A: ", Pause(), b"x" * 500, Pause(), b"x" * 500]),
    too_large("one field too many", asks(b"GET /v1/x HTTP/1.1", *[b"A: b"] * 9)),
    passed(
        "as many fields as may be",
        "6585 5",
        asks(b"GET /v1/x HTTP/1.1", *[b"A: b"] * 8),
        asked(b"GET /v1/x HTTP/1.1", *[b"A: b"] * 8),
    ),
    too_large("trailers", asks(POST, b"Transfer-Encoding: chunked") + b"0\r\nA: " + b"x" * 1100 + b"\r\n\r\n"),
    too_large("trailers without an end", asks(POST, b"Transfer-Encoding: chunked") + b"0\r\nA: " + b"x" * 1100),
    Vector(
        "body for management that is here anyway",
        "9110 15.5.14",
        WHOLE % 1025 + b"x" * 1025,
        gets=Error(413, "content_too_large"),
    ),
    too_much("body for management that was only announced", WHOLE % 10**15),
    too_much("body for management in chunks", CHUNKED + b"200\r\n" + b"x" * 512 + b"\r\n201\r\n" + b"x" * 513),
    passed(
        "body for an API is bounded by upstream alone",
        "9110 15.5.14",
        asks(POST, b"Content-Length: 5000") + b"x" * 5000,
        asked(POST, b"Content-Length: 5000") + b"x" * 5000,
    ),
    Vector(
        "in its turn in a pipeline",
        "9112 9.3.2",
        GET + asks(LONGEST.replace(b" HTTP", b"x HTTP")),
        [asked(b"GET /v1/x HTTP/1.1")],
        Error(414, "target_too_long", before=OK, last=True),
        ends="closed",
    ),
]


def too_slow(name: str, sends: Steps) -> Vector:
    return refused(name, "9110 15.5.9", sends, 408, "request_timeout")


TRICKLE = [
    each
    for at in range(len(b"GET /v1/x HTTP/1.1\r\nA: b"))
    for each in (b"GET /v1/x HTTP/1.1\r\nA: b"[at : at + 1], Pause(0.03))
]

TIMES = [
    too_slow("head without an end", b"GET /v1/x HTTP/1.1\r\nHost: proxy\r\n"),
    too_slow("head byte for byte", TRICKLE),
    too_slow("slow body for management", WHOLE % 100 + b"x" * 50),
    Vector(
        "body for an API",
        "9110 15.5.9",
        asks(POST, b"Content-Length: 100") + b"abc",
        gets=Error(408, "request_timeout", last=True),
        ends="closed",
        dropped=True,
        partial=asked(POST, b"Content-Length: 100") + b"abc",
    ),
    Vector("silent connection", "9112 9.5", (), gets=b"", ends="closed"),
    Vector("silent after its answer", "9112 9.5", GET, [asked(b"GET /v1/x HTTP/1.1")], OK, ends="closed"),
]

VECTORS = SIZES + TIMES
