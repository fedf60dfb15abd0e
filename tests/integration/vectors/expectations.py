"""Clients that wait to be asked for their body: RFC 9110 section 10.1.1."""

from __future__ import annotations

from . import GET, OK, SEEN, Await, Error, Vector, asked, asks, lines, refused
from .connections import CONTINUE, EXPECT, POST

VECTORS = [
    Vector(
        "asked when upstream is there",
        "9110 10.1.1",
        (asks(POST, b"Content-Length: 3", EXPECT), Await(CONTINUE), b"abc"),
        [asked(POST, b"Content-Length: 3", EXPECT) + b"abc"],
        CONTINUE + OK,
    ),
    Vector(
        "asked for chunks",
        "9110 10.1.1",
        (asks(POST, b"Transfer-Encoding: chunked", EXPECT), Await(CONTINUE), b"3\r\nabc\r\n0\r\n\r\n"),
        [asked(POST, EXPECT, b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"],
        CONTINUE + OK,
    ),
    Vector(
        "asked once, though upstream asks too",
        "9110 15.2.1",
        (asks(POST, b"Content-Length: 3", EXPECT), Await(CONTINUE), b"abc"),
        [asked(POST, b"Content-Length: 3", EXPECT) + b"abc"],
        CONTINUE + OK,
        [CONTINUE + OK],
    ),
    Vector(
        "in another case",
        "9110 10.1.1",
        (asks(POST, b"Content-Length: 3", b"expect: 100-CONTINUE"), Await(CONTINUE), b"abc"),
        [asked(POST, b"Content-Length: 3", b"expect: 100-CONTINUE") + b"abc"],
        CONTINUE + OK,
    ),
    Vector(
        "client that did not wait",
        "9110 10.1.1",
        asks(POST, b"Content-Length: 3", EXPECT) + b"abc",
        [asked(POST, b"Content-Length: 3") + b"abc"],
        OK,
    ),
    Vector("nothing to be sent", "9110 10.1.1", asks(b"GET /v1/x HTTP/1.1", EXPECT), [SEEN], OK),
    Vector(
        "a stranger is not asked",
        "9110 10.1.1",
        lines(POST, b"Host: proxy", b"Authorization: Bearer sk-" + b"B" * 22, b"Content-Length: 3", EXPECT),
        gets=Error(401, "token_not_found", last=True),
        ends="closed",
    ),
    Vector(
        "what belongs to no endpoint is not asked for",
        "9110 10.1.1",
        asks(b"POST /nowhere HTTP/1.1", b"Content-Length: 3", EXPECT),
        gets=Error(404, "endpoint_not_found", last=True),
        ends="closed",
    ),
    Vector(
        "nor what no method allows",
        "9110 10.1.1",
        asks(b"PATCH /v1/x HTTP/1.1", b"Content-Length: 3", EXPECT),
        gets=Error(405, "method_not_allowed", last=True),
        ends="closed",
    ),
    Vector(
        "an unread body is no request",
        "9112 9.3",
        (asks(b"POST /nowhere HTTP/1.1", b"Content-Length: 300000", EXPECT), Await(b"endpoint_not_found"), GET),
        gets=Error(404, "endpoint_not_found", last=True),
        ends="closed",
    ),
    refused(
        "another expectation",
        "9110 10.1.1",
        asks(POST, b"Content-Length: 3", b"Expect: wonders") + b"abc",
        417,
        "expectation_failed",
    ),
    refused(
        "an expectation too many",
        "9110 10.1.1",
        asks(POST, b"Content-Length: 3", b"Expect: 100-continue, wonders") + b"abc",
        417,
        "expectation_failed",
    ),
    Vector(
        "a small body that nobody wanted is read over",
        "9112 9.3",
        asks(b"POST /nowhere HTTP/1.1", b"Content-Length: 3") + b"abc" + GET,
        [SEEN],
        Error(404, "endpoint_not_found", after=OK),
    ),
    Vector(
        "a large body that nobody wanted ends the connection",
        "9112 9.3",
        asks(b"POST /nowhere HTTP/1.1", b"Content-Length: 300000") + b"GET",
        gets=Error(404, "endpoint_not_found", last=True),
        ends="closed",
    ),
]
