"""Header sections of requests, and C{Host}: RFC 9112 sections 3.2 and 5, RFC 9110 sections 5, 7.2 and 7.6."""

from __future__ import annotations

from . import AUTH, SEEN, Vector, asked, asks, lines, passed, refused

GET = b"GET /v1/x HTTP/1.1"


def same(name: str, section: str, *fields: bytes) -> Vector:
    """Fields that upstream sees as the client wrote them."""
    return passed(name, section, asks(GET, *fields), asked(GET, *fields))


def becomes(name: str, section: str, sent: list[bytes], seen: list[bytes]) -> Vector:
    """Fields of which upstream sees others."""
    return passed(name, section, asks(GET, *sent), asked(GET, *seen))


def bad(name: str, section: str, field: bytes) -> Vector:
    """Something in the place of a field line."""
    return refused(name, section, asks(GET, b"A: b", field, b"C: d"))


def host(name: str, section: str, value: bytes) -> Vector:
    """A C{Host} that is accepted; upstream has its own."""
    return passed(name, section, asks(GET, host=value), SEEN)


def bad_host(name: str, section: str, value: bytes) -> Vector:
    """A C{Host} that is not."""
    return refused(name, section, asks(GET, host=value))


VECTORS = [
    same("case and order", "9110 5.3", b"x-ODD: 1", b"B: 2", b"A: 3"),
    same("repeats stay apart", "9110 5.3", b"R: 1", b"S: 2", b"R: 3"),
    same("byte beyond ASCII in a value", "9110 5.5", b"A: caf\xe9"),
    same("tab within a value", "9110 5.5", b"A: b\tc"),
    same("several spaces within a value", "9110 5.5", b"A: b   c"),
    same("colons in a value", "9112 5", b"A: b:c::d"),
    same("every character of a token", "9110 5.6.2", b"!#$%&'*+-.^_`|~09azAZ: 1"),
    same("quoted commas", "9110 5.5", b'A: "b, c", d'),
    same("cookies", "6265 5.4", b"Cookie: a=b; c=d", b"Cookie: e=f"),
    same("what a client accepts", "9110 12.5.3", b"Accept-Encoding: br;q=1.0, *;q=0", b"Accept: */*"),
    same("value of 30 KiB", "9110 5.4", b"A: " + b"x" * 30_000),
    same("trailer names that are announced", "9110 6.6.2", b"Trailer: X-Sum"),
    same("another Via", "9110 7.6.3", b"Via: 1.0 edge"),
    same("hops that are counted", "9110 7.6.2", b"Max-Forwards: 3"),
    same("range and condition", "9110 14.2", b"Range: bytes=0-1", b'If-Range: "e"', b"If-None-Match: *"),
    becomes("no space after the colon", "9112 5", [b"A:b"], [b"A: b"]),
    becomes("white space around a value", "9112 5.1", [b"A: \t b \t"], [b"A: b"]),
    becomes("empty value", "9110 5.5", [b"A:"], [b"A: "]),
    becomes(
        "fields of the connection",
        "9110 7.6.1",
        [
            b"Connection: keep-alive",
            b"Keep-Alive: timeout=5",
            b"TE: trailers",
            b"Proxy-Connection: keep-alive",
            b"A: b",
        ],
        [b"A: b"],
    ),
    becomes(
        "fields that Connection names",
        "9110 7.6.1",
        [b"X-Hop: 1", b"Connection: x-hop, Y-hop", b"y-HOP: 2", b"A: b"],
        [b"A: b"],
    ),
    becomes(
        "Connection on two lines",
        "9110 7.6.1",
        [b"Connection: X-Hop", b"X-Hop: 1", b"Connection: Y-Hop", b"Y-Hop: 2"],
        [],
    ),
    becomes("Connection cannot take away the key", "9110 7.6.1", [b"Connection: Authorization, Host"], []),
    becomes("credentials for a proxy", "9110 11.7.1", [b"Proxy-Authorization: Basic eDp5"], []),
    becomes("upgrade that nobody asked for by Connection", "9110 7.8", [b"Upgrade: h2c"], []),
    becomes("settings of HTTP/2", "9113 3.1", [b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"], []),
    becomes(
        "where the client is",
        "7239 4",
        [b"Forwarded: for=1.2.3.4", b"X-Forwarded-For: 1.2.3.4", b"X-Real-IP: 1.2.3.4"],
        [],
    ),
    bad("space before the colon", "9112 5.1", b"X : y"),
    bad("tab before the colon", "9112 5.1", b"X\t: y"),
    bad("no name", "9110 5.1", b": y"),
    bad("space within a name", "9110 5.1", b"X Y: z"),
    bad("bracket in a name", "9110 5.1", b"X(Y): z"),
    bad("byte beyond ASCII in a name", "9110 5.1", b"X\xe9: z"),
    bad("NUL in a name", "9110 5.1", b"X\0: z"),
    bad("no colon", "9112 5", b"X"),
    bad("fold by a space", "9112 5.2", b" y"),
    bad("fold by a tab", "9112 5.2", b"\ty"),
    bad("fold of nothing", "9112 5.2", b" "),
    bad("bare LF in a value", "9112 2.2", b"X: y\nZ: z"),
    bad("bare CR in a value", "9112 2.2", b"X: y\rZ: z"),
    bad("CR before CRLF", "9112 2.2", b"X: y\r"),
    bad("LF before CRLF", "9112 2.2", b"X: y\n"),
    bad("NUL in a value", "9110 5.5", b"X: y\0z"),
    bad("control character in a value", "9110 5.5", b"X: y\x01z"),
    bad("delete character in a value", "9110 5.5", b"X: y\x7fz"),
    bad("a request within a value", "9112 11.1", b"X: y\n\nGET /v1/smuggled HTTP/1.1"),
    refused("white space before the first field", "9112 2.2", lines(GET, b" Host: proxy", AUTH)),
    refused("section ended by a bare LF", "9112 2.2", GET + b"\r\nHost: proxy\r\nA: b\n\r\n\r\n"),
    host("name", "9110 7.2", b"proxy.example"),
    host("name and port", "9110 7.2", b"proxy:8080"),
    host("port of no digits", "9110 4.2.1", b"proxy:"),
    host("trailing dot", "9110 7.2", b"proxy.example."),
    host("IPv6 address", "3986 3.2.2", b"[::1]:8080"),
    host("empty", "9112 3.2", b""),
    passed(
        "Host by another case",
        "9110 5.1",
        lines(GET, b"hOST: proxy", AUTH),
        lines(GET, b"hOST: ORIGIN", b"Authorization: Bearer KEY"),
    ),
    passed(
        "no Host in HTTP/1.0",
        "9112 3.2",
        lines(b"GET /v1/x HTTP/1.0", AUTH),
        SEEN,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        ends="closed",
    ),
    refused("no Host", "9112 3.2", lines(GET, AUTH)),
    refused("two Hosts", "9112 3.2", asks(GET, b"Host: other")),
    refused("the same Host twice", "9112 3.2", asks(GET, b"Host: proxy")),
    refused("two Hosts in HTTP/1.0", "9112 3.2", asks(b"GET /v1/x HTTP/1.0", b"Host: other")),
    refused("Host with a space before the colon", "9112 5.1", lines(GET, b"Host : proxy", AUTH)),
    bad_host("list", "9112 3.2", b"a, b"),
    bad_host("two words", "9112 3.2", b"a b"),
    bad_host("path", "9112 3.2", b"a/b"),
    bad_host("user", "9110 4.2.4", b"user@a"),
    bad_host("port that is no number", "9112 3.2", b"a:b"),
    bad_host("IPv6 address without brackets", "3986 3.2.2", b"::1"),
    bad_host("half a bracket", "3986 3.2.2", b"[::1"),
    bad_host("byte beyond ASCII", "9112 3.2", b"caf\xe9"),
    bad_host("longer than any name", "9112 3.2", b"a" * 600),
]
