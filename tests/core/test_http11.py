"""Tests for L{llmproxy.core.http11}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http11 import CHUNKED, Head, Refusal, check_partial, read_fields, read_head

from ..properties import examples


def head_of(*fields: bytes, line: bytes = b"POST / HTTP/1.1", host: bytes | None = b"a") -> bytes:
    """A whole head."""
    named = [] if host is None else [b"Host: " + host]
    return b"\r\n".join([line, *named, *fields, b"", b""])


def read(data: bytes, target_limit: int = 8192, fields_limit: int = 200) -> Head:
    return read_head(data, target_limit, fields_limit)


def status_of(data: bytes, target_limit: int = 8192, fields_limit: int = 200) -> int:
    """What the client is told about a head; 0 if nothing is wrong with it."""
    try:
        read_head(data, target_limit, fields_limit)
    except Refusal as refusal:
        return refusal.status
    return 0


REQUEST_LINES = [
    # line, section, status, target that the resources see
    (b"GET / HTTP/1.1", "9112 3", 0, b"/"),
    (b"BREW /pot HTTP/1.1", "9110 16.1", 0, b"/pot"),
    (b"get / HTTP/1.1", "9110 9.1", 0, b"/"),
    (b"M-SEARCH / HTTP/1.1", "9110 5.6.2", 0, b"/"),
    (b"GET //a/../%2f?b=//c%zz HTTP/1.1", "9112 3.2", 0, b"//a/../%2f?b=//c%zz"),
    (b'GET /|^{}<>" HTTP/1.1', "9112 3.2", 0, b'/|^{}<>"'),
    (b"GET /", "9112 3", 400, b""),
    (b"GET", "9112 3", 400, b""),
    (b"GET  / HTTP/1.1", "9112 3", 400, b""),
    (b"GET /  HTTP/1.1", "9112 3", 400, b""),
    (b"GET / HTTP/1.1 ", "9112 3", 400, b""),
    (b" GET / HTTP/1.1", "9112 2.2", 400, b""),
    (b"GET\t/\tHTTP/1.1", "9112 3", 400, b""),
    (b"GET / /b HTTP/1.1", "9112 3.2", 400, b""),
    (b" / HTTP/1.1", "9112 3.1", 400, b""),
    (b"G(T / HTTP/1.1", "9110 5.6.2", 400, b""),
    (b"G\xc3T / HTTP/1.1", "9110 5.6.2", 400, b""),
    (b"GET / HTTP/2.0", "9110 15.6.6", 505, b""),
    (b"GET / HTTP/0.9", "9110 15.6.6", 505, b""),
    (b"GET / HTTP/1.9", "9110 2.5", 0, b"/"),
    (b"GET / http/1.1", "9112 2.3", 400, b""),
    (b"GET / HTTP/1.10", "9112 2.3", 400, b""),
    (b"GET / HTTP/11", "9112 2.3", 400, b""),
    (b"GET / HTTPS/1.1", "9112 2.3", 400, b""),
    (b"GET / HTTP/1.1\n", "9112 2.2", 400, b""),
    (b"GET / HTTP/1.1\r", "9112 2.2", 400, b""),
    (b"GET /a#b HTTP/1.1", "9112 3.2.1", 400, b""),
    (b"GET /\xe4 HTTP/1.1", "9112 3.2", 400, b""),
    (b"GET /\0 HTTP/1.1", "9112 3.2", 400, b""),
    (b"GET /\x7f HTTP/1.1", "9112 3.2", 400, b""),
    (b"GET a HTTP/1.1", "9112 3.2", 400, b""),
    (b"GET ?a HTTP/1.1", "9112 3.2", 400, b""),
    (b"OPTIONS * HTTP/1.1", "9112 3.2.4", 0, b"*"),
    (b"GET * HTTP/1.1", "9112 3.2.4", 400, b""),
    (b"CONNECT a:443 HTTP/1.1", "9112 3.2.3", 501, b""),
    (b"CONNECT / HTTP/1.1", "9110 9.3.6", 501, b""),
    (b"GET http://a/b?c HTTP/1.1", "9112 3.2.2", 0, b"/b?c"),
    (b"GET HTTP://A:80/b HTTP/1.1", "9110 4.2.3", 0, b"/b"),
    (b"GET https://a:443/b HTTP/1.1", "9110 4.2.3", 0, b"/b"),
    (b"GET http://a HTTP/1.1", "9112 3.2.2", 0, b"/"),
    (b"GET http://a?b HTTP/1.1", "9112 3.2.2", 0, b"/?b"),
    (b"OPTIONS http://a HTTP/1.1", "9112 3.2.4", 0, b"*"),
    (b"GET http://b/ HTTP/1.1", "9112 3.2.2", 400, b""),
    (b"GET http://a:81/ HTTP/1.1", "9112 3.2.2", 400, b""),
    (b"GET http://u@a/ HTTP/1.1", "9110 4.2.4", 400, b""),
    (b"GET http:///b HTTP/1.1", "9110 4.2.1", 400, b""),
    (b"GET ftp://a/ HTTP/1.1", "9112 3.2.2", 400, b""),
]

FIELD_LINES = [
    # lines, section, status
    ([b"A:b"], "9112 5", 0),
    ([b"A: \t b \t"], "9112 5", 0),
    ([b"A:"], "9110 5.5", 0),
    ([b"A: b\xff\x80"], "9110 5.5", 0),
    ([b"A: b", b"A: c"], "9110 5.2", 0),
    ([b"A : b"], "9112 5.1", 400),
    ([b"A\t: b"], "9112 5.1", 400),
    ([b" A: b"], "9112 2.2", 400),
    ([b"A: b", b" c"], "9112 5.2", 400),
    ([b"A: b", b"\tc"], "9112 5.2", 400),
    ([b"A: b\nC: d"], "9112 2.2", 400),
    ([b"A: b\rC: d"], "9112 2.2", 400),
    ([b"A: b\r\r\nC: d"], "9112 2.2", 400),
    ([b"A: b\n"], "9112 2.2", 400),
    ([b"A: b\r"], "9112 2.2", 400),
    ([b"A: b\n\nPUT / HTTP/1.1", b"C: d"], "9112 2.2", 400),
    ([b"A: b\0c"], "9110 5.5", 400),
    ([b"A: b\x01c"], "9110 5.5", 400),
    ([b"A: b\x7fc"], "9110 5.5", 400),
    ([b"A"], "9112 5", 400),
    ([b": b"], "9110 5.1", 400),
    ([b"A(b): c"], "9110 5.1", 400),
    ([b"A\xff: c"], "9110 5.1", 400),
    ([b"\0A: b"], "9110 5.1", 400),
]

LENGTHS = [
    # lines, section, length or status
    ([], "9112 6.3", 0),
    ([b"Content-Length: 0"], "9112 6.3", 0),
    ([b"content-LENGTH: 5 "], "9110 8.6", 5),
    ([b"Content-Length: 005"], "9110 8.6", 5),
    ([b"Transfer-Encoding: chunked"], "9112 6.3", CHUNKED),
    ([b"transfer-encoding: CHUNKED"], "9112 7", CHUNKED),
    ([b"Transfer-Encoding:\tchunked "], "9112 6.1", CHUNKED),
    ([b"Content-Length:"], "9110 8.6", 400),
    ([b"Content-Length: +5"], "9110 8.6", 400),
    ([b"Content-Length: -5"], "9110 8.6", 400),
    ([b"Content-Length: 0x5"], "9110 8.6", 400),
    ([b"Content-Length: 5_0"], "9110 8.6", 400),
    ([b"Content-Length: 5 5"], "9110 8.6", 400),
    ([b"Content-Length: 5, 5"], "9110 8.6", 400),
    ([b"Content-Length: 5", b"Content-Length: 5"], "9110 8.6", 400),
    ([b"Content-Length: 5", b"Content-Length: 6"], "9112 6.3", 400),
    ([b"Content-Length: 18446744073709551616"], "9110 8.6", 400),
    ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], "9112 6.1", 400),
    ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], "9112 6.1", 400),
    ([b"Transfer-Encoding: chunked, chunked"], "9112 6.1", 400),
    ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], "9112 6.1", 400),
    ([b"Transfer-Encoding: chunked, gzip"], "9112 6.1", 400),
    ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"], "9112 6.1", 400),
    ([b"Transfer-Encoding:"], "9112 6.1", 400),
    ([b"Transfer-Encoding: \x0bchunked"], "9112 6.1", 400),
    ([b"Transfer-Encoding: gzip, chunked"], "9112 6.1", 501),
    ([b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"], "9112 6.1", 501),
    ([b"Transfer-Encoding: gzip"], "9112 6.1", 501),
    ([b"Transfer-Encoding: identity"], "9112 7", 501),
    ([b"Transfer-Encoding: xchunked"], "9112 6.1", 501),
    ([b"Transfer-Encoding: chunked;a=b"], "9112 7", 501),
]

HOSTS = [
    # value, section, status
    (b"a.example", "9110 7.2", 0),
    (b"a:8080", "9110 7.2", 0),
    (b"a:", "9110 4.2.1", 0),
    (b"[::1]:80", "3986 3.2.2", 0),
    (b"[v1.a:b]", "3986 3.2.2", 0),
    (b"a_b%20,c", "3986 3.2.2", 0),
    (b"", "9112 3.2", 0),
    (None, "9112 3.2", 400),
    (b"a\r\nHost: a", "9112 3.2", 400),
    (b"a, b", "9112 3.2", 400),
    (b"a b", "9112 3.2", 400),
    (b"a/b", "9112 3.2", 400),
    (b"u@a", "9110 4.2.4", 400),
    (b"a:b", "9112 3.2", 400),
    (b"::1", "3986 3.2.2", 400),
    (b"[::1", "3986 3.2.2", 400),
    (b"\xe4", "9112 3.2", 400),
    (b"a" * 513, "9112 3.2", 400),
]

CONNECTIONS = [
    # version, lines, section, kept
    (b"1.1", [], "9112 9.3", True),
    (b"1.1", [b"Connection: close"], "9112 9.3", False),
    (b"1.1", [b"connection: keep-alive , CLOSE"], "9110 7.6.1", False),
    (b"1.1", [b"Connection: a", b"Connection: close"], "9110 7.6.1", False),
    (b"1.1", [b"Connection: close", b"Connection: keep-alive"], "9112 9.3", False),
    (b"1.1", [b"Connection: closed"], "9110 7.6.1", True),
    (b"1.1", [b"Connection:"], "9110 7.6.1", True),
    (b"1.0", [], "9112 9.3", False),
    (b"1.0", [b"Connection: Keep-Alive"], "9112 9.3", True),
    (b"1.0", [b"Connection: a, keep-alive"], "9112 9.3", True),
    (b"1.0", [b"Connection: keep-alive, close"], "9112 9.3", False),
]

EXPECTATIONS = [
    # version, value, section, status, whether the client waits
    (b"1.1", b"100-continue", "9110 10.1.1", 0, True),
    (b"1.1", b"100-CONTINUE", "9110 10.1.1", 0, True),
    (b"1.0", b"100-continue", "9110 10.1.1", 0, False),
    (b"1.1", b"wonders", "9110 10.1.1", 417, False),
    (b"1.1", b"100-continue, wonders", "9110 10.1.1", 417, False),
]


class ReadHeadTests(SynchronousTestCase):
    def test_request_lines(self) -> None:
        """A request line that two servers could read differently is refused; targets arrive as they were sent."""
        for line, section, status, target in REQUEST_LINES:
            data = head_of(line=line)
            self.assertEqual((line, section, status_of(data)), (line, section, status), (line, section, status, target))
            if not status:
                self.assertEqual((section, read(data).target), (section, target), (line, section, status, target))

    def test_fields(self) -> None:
        """So is a header section."""
        for lines, section, status in FIELD_LINES:
            self.assertEqual(
                (lines, section, status_of(head_of(*lines))), (lines, section, status), (lines, section, status)
            )

    def test_lengths(self) -> None:
        """A body has one length, or the request is refused."""
        for lines, section, wanted in LENGTHS:
            data = head_of(*lines)
            status = status_of(data)
            self.assertEqual(
                (lines, section, status or read(data).length), (lines, section, wanted), (lines, section, wanted)
            )

    def test_old_chunks(self) -> None:
        """RFC 9112 section 6.1: chunks of an HTTP/1.0 client are faulty framing."""
        self.assertEqual(status_of(head_of(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0")), 400)

    def test_hosts(self) -> None:
        """A Host that could be read in two ways is refused."""
        for value, section, status in HOSTS:
            self.assertEqual(
                (value, section, status_of(head_of(host=value))), (value, section, status), (value, section, status)
            )
        self.assertEqual(status_of(head_of(host=None, line=b"GET / HTTP/1.0")), 0)
        self.assertEqual(status_of(head_of(host=None, line=b"GET http://a/ HTTP/1.0")), 400)

    def test_connections(self) -> None:
        """A connection is kept when both sides mean to keep it."""
        for version, lines, section, kept in CONNECTIONS:
            head = read(head_of(*lines, line=b"GET / HTTP/" + version))
            self.assertEqual((lines, section, head.keep_alive), (lines, section, kept), (version, lines, section, kept))

    def test_expectations(self) -> None:
        """100-continue is understood, any other expectation is answered 417."""
        for version, value, section, status, expects in EXPECTATIONS:
            data = head_of(b"Expect: " + value, line=b"POST / HTTP/" + version)
            self.assertEqual(
                (value, section, status_of(data)), (value, section, status), (version, value, section, status, expects)
            )
            if not status:
                self.assertEqual(
                    (value, section, read(data).expects),
                    (value, section, expects),
                    (version, value, section, status, expects),
                )

    def test_upgrade(self) -> None:
        """What follows an upgrade in the header section is read too."""
        head = read(head_of(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 3", b"A: b"))
        self.assertEqual((head.upgrade, head.length, head.fields[-1]), (True, 3, (b"A", b"b")))

    def test_order_and_case(self) -> None:
        """Fields keep their order, their case and their repeats."""
        head = read(head_of(b"b: 1", b"A: 2", b"B: 3", b"a: x  y \xff"))
        self.assertEqual(head.fields, [(b"Host", b"a"), (b"b", b"1"), (b"A", b"2"), (b"B", b"3"), (b"a", b"x  y \xff")])

    def test_limits(self) -> None:
        """A target as long as allowed passes, one byte more is 414; likewise the number of fields and 431."""
        long = head_of(line=b"GET /" + b"a" * 9 + b" HTTP/1.1")
        self.assertEqual((status_of(long, 10), status_of(long, 9)), (0, 414))
        many = head_of(b"A: 1", b"A: 2")
        self.assertEqual((status_of(many, fields_limit=3), status_of(many, fields_limit=2)), (0, 431))

    def test_words(self) -> None:
        """What was wrong is told without repeating anything of the request."""
        for lines in ([b"Secret(x): sk-canary"], [b"Host: sk canary"], [b"Transfer-Encoding: sk-canary"]):
            with self.assertRaises(Refusal) as caught:
                read(head_of(*lines))
            self.assertNotIn("canary", f"{caught.exception.detail} {caught.exception}")
            self.assertTrue(caught.exception.code, lines)

    @settings(max_examples=examples(50), deadline=None)
    @given(st.binary(max_size=60), st.integers(0, 60))
    def test_never_another_message(self, junk: bytes, at: int) -> None:
        """Whatever stands in a header section, it never ends early: all of it is fields, or all is refused."""
        lines = b"Host: a\r\nA: b\r\n"
        section = (lines[:at] + junk.replace(b"\r\n\r\n", b"") + lines[at:]).removesuffix(b"\r\n") + b"\r\n"
        try:
            head = read(b"GET / HTTP/1.1\r\n" + section + b"\r\n")
        except Refusal:
            return
        said = [line.partition(b":") for line in section.split(b"\r\n") if line]
        self.assertEqual(head.fields, [(name, value.strip(b" \t")) for name, _, value in said])


class CheckPartialTests(SynchronousTestCase):
    def test_what_may_still_become_a_head(self) -> None:
        """No beginning of a good head is refused, however it was cut."""
        data = head_of(b"A: b", b"Content-Length: 3", line=b"M-SEARCH /abc HTTP/1.1")
        for end in range(len(data) - 1):
            check_partial(data[:end], 4, len(data))

    def test_what_cannot(self) -> None:
        """Nothing that is wrong already has to be waited for: the client hears of it at once."""
        for data, status in (
            (b"\x16\x03\x01\x02\x00", 400),
            (b"G(", 400),
            (b"\x80", 400),
            (b"\n", 400),
            (b"\rG", 400),
            (b"GET / HTTP/1.1\nHost: a", 400),
            (b"GET / HTTP/1.1\r\nHost: a\n", 400),
            (b"GET /" + b"a" * 10, 414),
            (b"G" * 600, 400),
            (b"GET / HTTP/1.1\r\nA: " + b"b" * 40, 431),
        ):
            with self.assertRaises(Refusal) as caught:
                check_partial(data, 10, 40)
            self.assertEqual((data, caught.exception.status), (data, status), (data, status))


class ReadFieldsTests(SynchronousTestCase):
    def test_fields(self) -> None:
        """Trailers are read like headers, order and case kept."""
        self.assertEqual(read_fields(b"b: 1\r\nA:2 \r\nb: 3\r\n"), [(b"b", b"1"), (b"A", b"2"), (b"b", b"3")])

    def test_forbidden(self) -> None:
        """RFC 9110 section 6.5.1: what decides about framing or routing must not come late."""
        for line in (
            b"Content-Length: 3",
            b"transfer-encoding: chunked",
            b"Host: a",
            b"Expect: 100-continue",
            b"Connection: close",
            b"Connection: upgrade\r\nUpgrade: a",
            b"A: b\r\n c",
            b"A : b",
            b"A: b\nC: d",
            b"A",
        ):
            with self.assertRaises(Refusal) as caught:
                read_fields(line + b"\r\n")
            self.assertEqual((line, caught.exception.status), (line, 400), line)
