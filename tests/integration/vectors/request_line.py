"""Request lines and targets: RFC 9112 sections 2.2 and 3, RFC 9110 sections 4, 7.1 and 9."""

from __future__ import annotations

from . import AUTH, GET, OK, SEEN, Error, Vector, asked, asks, lines, passed, refused


def same(name: str, section: str, target: bytes) -> Vector:
    """A target that upstream sees as the client wrote it."""
    return passed(name, section, asks(b"GET " + target + b" HTTP/1.1"), asked(b"GET " + target + b" HTTP/1.1"))


def bad_line(name: str, section: str, line: bytes, status: int = 400, code: str = "malformed_request") -> Vector:
    """A request line that is refused; what follows it is right."""
    return refused(name, section, line + b"\r\nHost: proxy\r\n" + AUTH + b"\r\n\r\n", status, code)


VECTORS = [
    passed("origin form", "9112 3.2.1", GET, SEEN),
    same("query", "9112 3.2.1", b"/v1/x?a=b&c"),
    same("empty query", "9112 3.2.1", b"/v1/x?"),
    same("encoded slash stays encoded", "3986 2.2", b"/v1/a%2Fb"),
    same("encoding is not normalised", "3986 6.2.2", b"/v1/%7euser/%41%c3%a9"),
    same("query is not decoded", "3986 3.4", b"/v1/x?q=%2f&&r=a+b&=&s=%"),
    same("characters that URLs should not have", "9112 3.2", b"/v1/x?a='\"|^`{}<>[]\\"),
    passed("slashes are merged", "3986 3.3", asks(b"GET //v1//x///?a=// HTTP/1.1"), asked(b"GET /v1/x/?a=// HTTP/1.1")),
    same("parameters", "3986 3.3", b"/v1/x;v=1,2/y;z"),
    passed(
        "method that is not registered",
        "9110 9.1",
        asks(b"BREW /v1/pot HTTP/1.1"),
        asked(b"BREW /v1/pot HTTP/1.1"),
    ),
    passed("absolute form", "9112 3.2.2", asks(b"GET http://proxy/v1/x?y HTTP/1.1"), asked(b"GET /v1/x?y HTTP/1.1")),
    passed("absolute form with the default port", "9110 4.2.3", asks(b"GET http://proxy:80/v1/x HTTP/1.1"), SEEN),
    passed("absolute form, case of scheme and host", "9110 4.2.3", asks(b"GET HTTP://PROXY/v1/x HTTP/1.1"), SEEN),
    passed(
        "absolute form in HTTP/1.0",
        "9112 3.2.2",
        lines(b"GET http://proxy/v1/x HTTP/1.0", b"Host: proxy", AUTH),
        SEEN,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        ends="closed",
    ),
    passed("empty lines before the request", "9112 2.2", b"\r\n\r\n" + GET, SEEN),
    passed("minor version that is not known yet", "9110 2.5", asks(b"GET /v1/x HTTP/1.9"), SEEN),
    Vector(
        "asterisk form", "9112 3.2.4", asks(b"OPTIONS * HTTP/1.1"), gets=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    ),
    Vector(
        "asterisk form in absolute form",
        "9112 3.2.4",
        asks(b"OPTIONS http://proxy HTTP/1.1"),
        gets=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    Vector("methods have a case", "9110 9.1", asks(b"get /v1/x HTTP/1.1"), gets=Error(405, "method_not_allowed")),
    Vector("dot segments", "3986 5.2.4", asks(b"GET /v1/../x HTTP/1.1"), gets=Error(404, "endpoint_not_found")),
    Vector(
        "encoded dot segments", "3986 5.2.4", asks(b"GET /v1/%2e%2E/x HTTP/1.1"), gets=Error(404, "endpoint_not_found")
    ),
    Vector(
        "dot segments by backslash",
        "3986 5.2.4",
        asks(b"GET /v1/x\\..\\y HTTP/1.1"),
        gets=Error(404, "endpoint_not_found"),
    ),
    Vector("encoded NUL", "3986 7.3", asks(b"GET /v1/x%00 HTTP/1.1"), gets=Error(404, "endpoint_not_found")),
    bad_line("absolute form of another host", "9112 3.2.2", b"GET http://other/v1/x HTTP/1.1"),
    bad_line("absolute form of another port", "9112 3.2.2", b"GET http://proxy:81/v1/x HTTP/1.1"),
    bad_line("absolute form with a user", "9110 4.2.4", b"GET http://user@proxy/v1/x HTTP/1.1"),
    bad_line("absolute form without a host", "9110 4.2.1", b"GET http:///v1/x HTTP/1.1"),
    bad_line("absolute form of another scheme", "9112 3.2.2", b"GET ftp://proxy/v1/x HTTP/1.1"),
    bad_line("absolute form, the host ended by a backslash", "9112 3.2.2", b"GET http://proxy\\@other/v1/x HTTP/1.1"),
    bad_line("asterisk with another method", "9112 3.2.4", b"GET * HTTP/1.1"),
    bad_line("target without a slash", "9112 3.2", b"GET v1/x HTTP/1.1"),
    bad_line("query alone", "9112 3.2", b"GET ?x HTTP/1.1"),
    bad_line("fragment", "9112 3.2.1", b"GET /v1/x#y HTTP/1.1"),
    bad_line("byte beyond ASCII in the target", "9112 3.2", b"GET /v1/\xe9 HTTP/1.1"),
    bad_line("NUL in the target", "9112 3.2", b"GET /v1/\0 HTTP/1.1"),
    bad_line("control character in the target", "9112 3.2", b"GET /v1/\x01 HTTP/1.1"),
    bad_line("delete character in the target", "9112 3.2", b"GET /v1/\x7f HTTP/1.1"),
    bad_line("space in the target", "9112 3.2", b"GET /v1/x y HTTP/1.1"),
    bad_line("no target", "9112 3", b"GET HTTP/1.1"),
    bad_line("no version", "9112 3", b"GET /v1/x"),
    bad_line("two spaces", "9112 3", b"GET  /v1/x HTTP/1.1"),
    bad_line("space before the method", "9112 2.2", b" GET /v1/x HTTP/1.1"),
    bad_line("space after the version", "9112 3", b"GET /v1/x HTTP/1.1 "),
    bad_line("tabs for spaces", "9112 3", b"GET\t/v1/x\tHTTP/1.1"),
    bad_line("vertical tab for a space", "9112 3", b"GET\x0b/v1/x HTTP/1.1"),
    bad_line("method that is no token", "9110 9.1", b"G@T /v1/x HTTP/1.1"),
    bad_line("method with a byte beyond ASCII", "9110 9.1", b"G\xcbT /v1/x HTTP/1.1"),
    bad_line("empty method", "9112 3.1", b" /v1/x HTTP/1.1"),
    bad_line("version in small letters", "9112 2.3", b"GET /v1/x http/1.1"),
    bad_line("version of two digits", "9112 2.3", b"GET /v1/x HTTP/1.10"),
    bad_line("version without a dot", "9112 2.3", b"GET /v1/x HTTP/11"),
    bad_line("another protocol", "9112 2.3", b"GET /v1/x ICY/1.1"),
    bad_line("HTTP/2 in plain words", "9110 15.6.6", b"GET /v1/x HTTP/2.0", 505, "version_not_supported"),
    bad_line("HTTP/0.9 by number", "9110 15.6.6", b"GET /v1/x HTTP/0.9", 505, "version_not_supported"),
    bad_line("CONNECT", "9110 9.3.6", b"CONNECT example.com:443 HTTP/1.1", 501, "method_not_supported"),
    bad_line("CONNECT with a path", "9110 9.3.6", b"CONNECT /v1/x HTTP/1.1", 501, "method_not_supported"),
    bad_line("bare CR in the line", "9112 2.2", b"GET /v1/x\rHTTP/1.1"),
    bad_line("CR before CRLF", "9112 2.2", b"GET /v1/x HTTP/1.1\r"),
    refused("line ended by a bare LF", "9112 2.2", b"GET /v1/x HTTP/1.1\nHost: proxy\r\n\r\n"),
    refused("head of bare LFs", "9112 2.2", b"GET /v1/x HTTP/1.1\nHost: proxy\n\n"),
    refused("HTTP/2 preface", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"),
    refused("TLS to a port without", "9112 3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50)),
    refused("SSH to a port of HTTP", "9112 3", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    refused("HTTP/0.9 request", "9112 3", b"GET /v1/x\r\n\r\n"),
    Vector(
        "request of the other kind follows",
        "9112 9.3.2",
        GET + b"nonsense\r\n\r\n",
        [SEEN],
        Error(400, "malformed_request", before=OK, last=True),
        ends="closed",
    ),
]
