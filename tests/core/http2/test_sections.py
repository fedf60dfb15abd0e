"""Tests for L{llmproxy.core.http2.sections}, against hpack."""

from __future__ import annotations

import time

from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2 import sections
from llmproxy.core.http2.frames import ConnectionFault, ErrorCode
from llmproxy.core.http2.sections import Malformed

from ...tables import row

NAMES = st.one_of(
    st.sampled_from([b":status", b"content-type", b"set-cookie", b"x-a", b"date"]),
    st.binary(min_size=1, max_size=300),
)
VALUES = st.one_of(st.sampled_from([b"200", b"404", b""]), st.binary(max_size=400))
BASE = ((b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"a"))


class EncodingTests(SynchronousTestCase):
    @given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
    def test_any(self, section: list[tuple[bytes, bytes]]) -> None:
        """Whatever is encoded is decoded as that, by a client whose table is empty, and stays so."""
        decoder = Decoder()
        decoder.max_allowed_table_size = 0
        for block in (sections.NO_TABLE + sections.encode(section), sections.encode(section)):
            self.assertEqual([tuple(pair) for pair in decoder.decode(block, raw=True)], section, block)

    def test_long(self) -> None:
        """Lengths of more than one byte are right at their edges."""
        for size in (0, 79, 80, 126, 127, 128, 254, 255, 16_383, 16_510, 16_511):
            section = [(b"x" * max(size, 1), b"y" * size)]
            decoded = Decoder(1 << 20).decode(sections.encode(section), raw=True)
            self.assertEqual([tuple(pair) for pair in decoded], section, size)

    def test_short(self) -> None:
        """A status that is in the static table takes one byte."""
        self.assertEqual(sections.encode([(b":status", b"200")]), b"\x88")


class RequestEncodingTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.one_of(NAMES, st.sampled_from([b"authorization", b":path"])), VALUES), max_size=12))
    def test_any(self, section: list[tuple[bytes, bytes]]) -> None:
        """Whatever is encoded is decoded as that, by a server whose table is empty, and stays so."""
        decoder = Decoder()
        decoder.max_allowed_table_size = 0
        for block in (sections.NO_TABLE + sections.encode_request(section), sections.encode_request(section)):
            self.assertEqual([tuple(pair) for pair in decoder.decode(block, raw=True)], section, block)

    def test_secrets(self) -> None:
        """What may be secret is marked as never to be indexed, whatever it is called, and is kept nowhere."""
        before = sections._known.cache_info().currsize
        for name in (b"authorization", b"x-api-key", b"cookie", b"x-key-of-ours", b"proxy-authorization", b":path"):
            block = sections.encode_request([(name, b"sk-secret")])
            self.assertEqual(block[0] & 0xF0, 0x10, name)
            decoded = Decoder().decode(block, raw=True)
            self.assertEqual(
                [(pair[0], pair[1], pair.indexable) for pair in decoded], [(name, b"sk-secret", False)], name
            )
        self.assertEqual(sections._known.cache_info().currsize, before)

    def test_common(self) -> None:
        """What all requests have alike takes a byte each where the static table has it."""
        self.assertEqual(sections.encode_request([(b":method", b"POST"), (b":scheme", b"https")]), b"\x83\x87")


class DecodingTests(SynchronousTestCase):
    def code(self, block: bytes, limit: int = 65_536) -> ErrorCode:
        return self.assertRaises(ConnectionFault, sections.decode, Decoder(limit), block).code

    def test_whole(self) -> None:
        """A section comes in wire order, with what the table has kept of the one before."""
        decoder, encoder = Decoder(), Encoder()
        for _ in range(2):
            self.assertEqual(sections.decode(decoder, encoder.encode(BASE)), list(BASE))

    def test_broken(self) -> None:
        """What is no HPACK loses the table: RFC 7541 section 2.3.3 and RFC 9113 section 4.3."""
        for block in (
            b"\x80",
            b"\xff\xff\xff",
            b"\x40\x05ab",
            b"\x40",
            b"\x3f\xff\xff\xff\xff\xff",
            b"\x00\x85\xff\xff",
        ):
            self.assertEqual(self.code(block), ErrorCode.COMPRESSION_ERROR, block)

    def test_size_updates(self) -> None:
        """Two size updates are allowed, RFC 7541 section 4.2; thousands would only cost time."""
        good = Encoder().encode(BASE)
        for updates in (b"\x20", b"\x20\x3f\xe1\x1f"):
            self.assertEqual(sections.decode(Decoder(), updates + good), list(BASE), updates)
        for updates in (b"\x20" * 3, b"\x20" * 60_000, b"\x3f\xe1\x1f" * 3):
            self.assertEqual(self.code(updates + good), ErrorCode.COMPRESSION_ERROR, updates)

    def test_bomb(self) -> None:
        """A few bytes that stand for megabytes, and fields of no length (CVE-2019-9516), are too large."""
        stored = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000
        for block in (stored + b"\xbe" * 60_000, b"\0\0\0" * 20_000):
            self.assertEqual(self.code(block), ErrorCode.ENHANCE_YOUR_CALM, block)

    def test_time(self) -> None:
        """The worst section that is taken costs a small multiple of an ordinary one of its size."""
        ordinary = Encoder().encode([(b"x-%d" % number, b"y" * 600) for number in range(100)], huffman=False)
        worst = b"".join([b"\0\x0bx-%09d\0" % number for number in range(1_480)])

        def spent(block: bytes) -> float:
            start = time.process_time()
            sections.decode(Decoder(65_536), block)
            return time.process_time() - start

        self.assertLess(min(spent(worst) for _ in range(3)), 100 * min(spent(ordinary) for _ in range(3)))


class MalformedTests(SynchronousTestCase):
    def test_requests(self) -> None:
        """RFC 9113 sections 8.2 and 8.3: each of these is no request."""
        without = {name: tuple(pair for pair in BASE if pair[0] != name) for name, _ in BASE}
        bad = (
            (),
            without[b":method"],
            without[b":scheme"],
            without[b":path"],
            (*without[b":path"], (b":path", b"")),
            (*BASE, (b":path", b"/x")),
            (*BASE, (b":status", b"200")),
            (*BASE, (b":status", b"100")),
            (*BASE, (b":protocol", b"websocket")),
            (*BASE, (b":x", b"1")),
            (*BASE, (b":", b"1")),
            ((b"x", b"1"), *BASE),
            ((b":method", b"CONNECT"), *BASE[1:]),
            *[(*BASE, (name, b"1")) for name in (b"", b"X", b"x y", b"x\0", b"x:", b"\xe9", b"x\x7f", b"\t")],
            *[(*BASE, (b"x", value)) for value in (b"a\rb", b"a\nb", b"a\0b", b" a", b"a ", b"\ta", b"a\t", b"\n")],
            *[(*BASE, (name, b"x")) for name in sorted(sections.OF_CONNECTIONS)],
            (*BASE, (b"te", b"gzip")),
            *[(*BASE, (b"content-length", value)) for value in (b"", b"-1", b"+1", b"1_0", b"x", b"1" * 20, b"\xb2")],
            (*BASE, (b"content-length", b"1"), (b"content-length", b"2")),
        )
        for section in bad:
            with row(section):
                self.assertRaises(Malformed, sections.check_request, section)

    def test_good(self) -> None:
        """And these are."""
        for fields, length in (
            ((), None),
            (((b"te", b"Trailers"),), None),
            (((b"content-length", b"7"), (b"content-length", b"7")), 7),
            (((b"x", b"a b\tc"), (b"y", b"")), None),
            (((b"x", b"\xe9\x01"), (b"y", b"1")), None),
        ):
            self.assertEqual(sections.check_request((*BASE, *fields)), length, (fields, length))
        self.assertIsNone(sections.check_request([(b":method", b"CONNECT"), (b":authority", b"a:1")]))

    def test_trailers(self) -> None:
        """Trailers have no pseudo-fields, and otherwise what any section may have."""
        sections.check_trailers([(b"x-sum", b"7")])
        for bad in ((b":path", b"/"), (b"X", b"1"), (b"connection", b"close"), (b"x", b"\n")):
            with row(bad):
                self.assertRaises(Malformed, sections.check_trailers, [bad])


class ResponseTests(SynchronousTestCase):
    def test_good(self) -> None:
        """The status, and the length where it is announced."""
        self.assertEqual(sections.check_response([(b":status", b"200"), (b"content-length", b"7")]), (200, 7))
        self.assertEqual(sections.check_response([(b":status", b"599"), (b"x", b"")]), (599, None))

    def test_bad(self) -> None:
        """Heads that no answer has: RFC 9113 section 8.3.2."""
        ok = (b":status", b"200")
        for case, section in (
            ("nothing", []),
            ("no status", [(b"x", b"1")]),
            ("two", [ok, ok]),
            ("behind", [(b"x", b"1"), ok]),
            ("of a request", [ok, (b":path", b"/")]),
            ("short", [(b":status", b"20")]),
            ("long", [(b":status", b"2000")]),
            ("sign", [(b":status", b"+20")]),
            ("below 100", [(b":status", b"099")]),
            ("field", [ok, (b"X", b"1")]),
        ):
            with row(case):
                self.assertRaises(Malformed, sections.check_response, section)
