"""Tests for L{llmproxy.core.http2.head}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2.head import read_head, read_trailers
from llmproxy.core.http11 import CHUNKED, Head, Refusal
from llmproxy.message import Field

from ...tables import row

BASE: list[Field] = [(b":method", b"POST"), (b":path", b"/v1/x?y"), (b":scheme", b"https"), (b":authority", b"a:1")]


def read(*fields: Field, base: list[Field] = BASE, ended: bool = False) -> Head:
    return read_head([*base, *fields], ended, target_limit=50, head_limit=500, fields_limit=10)


def but(name: bytes, value: bytes) -> list[Field]:
    return [(each, value if each == name else was) for each, was in BASE]


class HeadTests(SynchronousTestCase):
    def test_as_http11(self) -> None:
        """It is what the same request over HTTP/1.1 would be: order kept, C{Host} first, cookies in one field."""
        head = read((b"b", b"1"), (b"cookie", b"x=1"), (b"a", b"2"), (b"b", b"3"), (b"cookie", b"y=2"))
        self.assertEqual((head.method, head.target, head.version), (b"POST", b"/v1/x?y", b"HTTP/2"))
        self.assertEqual(
            head.fields,
            [(b"Host", b"a:1"), (b"b", b"1"), (b"cookie", b"x=1; y=2"), (b"a", b"2"), (b"b", b"3")],
        )

    def test_length(self) -> None:
        """The length is what the head says, unless nothing follows."""
        self.assertEqual(read().length, CHUNKED)
        self.assertEqual(read((b"content-length", b"3")).length, 3)
        self.assertEqual(read(ended=True).length, 0)

    def test_no_content(self) -> None:
        """A POST without content says so in HTTP/1.1, for servers that want a length; a GET does not."""
        self.assertIn((b"content-length", b"0"), read(ended=True).fields)
        self.assertEqual(read((b"content-length", b"0"), ended=True).fields.count((b"content-length", b"0")), 1)
        self.assertEqual(read(base=but(b":method", b"GET"), ended=True).fields, [(b"Host", b"a:1")])
        self.assertEqual(read(base=but(b":method", b"DELETE"), ended=True).fields, [(b"Host", b"a:1")])

    def test_expects(self) -> None:
        """Who has nothing to send expects nothing."""
        expect = (b"expect", b"100-continue")
        self.assertTrue(read(expect).expects)
        self.assertFalse(read(expect, ended=True).expects)
        self.assertFalse(read().expects)

    def test_host(self) -> None:
        """C{host} stands for C{:authority}, and may stand beside it if it says the same."""
        alone = [pair for pair in BASE if pair[0] != b":authority"]
        self.assertEqual(read((b"host", b"b"), base=alone).fields, [(b"host", b"b")])
        self.assertEqual(read((b"host", b"a:1")).fields, [(b"Host", b"a:1")])

    def test_refused(self) -> None:
        """What HTTP/1.1 refuses is refused, before it could become a line of it."""
        alone = [pair for pair in BASE if pair[0] != b":authority"]
        bad: tuple[tuple[list[Field], tuple[Field, ...], int], ...] = (
            (but(b":method", b""), (), 400),
            (but(b":method", b"GE T"), (), 400),
            (but(b":method", b"GET / HTTP/1.1\r\nX: 1\r\n\r\nGET"), (), 400),
            (but(b":method", b"CONNECT"), (), 501),
            (but(b":path", b""), (), 400),
            (but(b":path", b"*"), (), 400),
            (but(b":path", b"/a b"), (), 400),
            (but(b":path", b"/a HTTP/1.1\r\nX: 1"), (), 400),
            (but(b":path", b"/a\0"), (), 400),
            (but(b":path", b"/\xc3\xa4"), (), 400),
            (but(b":path", b"http://b/"), (), 400),
            (but(b":path", b"/" + b"x" * 50), (), 414),
            (but(b":authority", b"a b"), (), 400),
            (but(b":authority", b"user@a"), (), 400),
            (alone, (), 400),
            (alone, ((b"host", b"a"), (b"host", b"a")), 400),
            (BASE, ((b"host", b"b"),), 400),
            (BASE, ((b"x", b"1\r\nY: 2"),), 400),
            (BASE, ((b"x", b"1\n2"),), 400),
            (BASE, ((b"x", b"\0"),), 400),
            (BASE, ((b"x y", b"1"),), 400),
            (BASE, ((b"x:", b"1"),), 400),
            (BASE, ((b"X", b"1"),), 400),
            (BASE, ((b"", b"1"),), 400),
            (BASE, ((b"connection", b"close"),), 400),
            (BASE, ((b"transfer-encoding", b"chunked"),), 400),
            (BASE, ((b"upgrade", b"websocket"),), 400),
            (BASE, ((b"content-length", b"-1"),), 400),
            (BASE, ((b"content-length", b"1_0"),), 400),
            (BASE, ((b"content-length", b"1"), (b"content-length", b"2")), 400),
            (BASE, ((b"expect", b"wonders"),), 417),
            (BASE, ((b"x", b"y"),) * 10, 431),
            (BASE, ((b"x", b"y" * 500),), 431),
        )
        for base, fields, status in bad:
            with row(base):
                refusal = self.assertRaises(Refusal, lambda base=base, fields=fields: read(*fields, base=base))
            self.assertEqual(refusal.status, status, (base, fields))

    def test_asterisk(self) -> None:
        """RFC 9113 section 8.3.1: C{OPTIONS} may ask for the server itself."""
        base = [(name, {b":method": b"OPTIONS", b":path": b"*"}.get(name, value)) for name, value in BASE]
        self.assertEqual(read(base=base).target, b"*")


class TrailerTests(SynchronousTestCase):
    def test_fields(self) -> None:
        """They are taken as they are, unless they would decide about framing or routing."""
        self.assertEqual(read_trailers([(b"x-sum", b"7")]), [(b"x-sum", b"7")])
        for bad in ((b"content-length", b"1"), (b"host", b"a"), (b"x", b"1\r\n"), (b"te", b"x")):
            with row(bad):
                self.assertRaises(Refusal, read_trailers, [bad])
