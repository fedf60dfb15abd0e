"""Tests for L{llmproxy.core.chunked}."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.chunked import MAX_SIZE_LINE, ChunkedReader, SizedReader
from llmproxy.core.http11 import Refusal

from ..properties import examples

GOOD = [
    # coded, section of RFC 9112, content
    (b"0\r\n\r\n", "7.1", b""),
    (b"3\r\nabc\r\n0\r\n\r\n", "7.1", b"abc"),
    (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "7.1", b"abcde"),
    (b"a\r\n0123456789\r\n0\r\n\r\n", "7.1", b"0123456789"),
    (b"A\r\n0123456789\r\n0\r\n\r\n", "7.1", b"0123456789"),
    (b"0003\r\nabc\r\n000\r\n\r\n", "7.1", b"abc"),
    (b"4\r\n\r\n0\r\r\n0\r\n\r\n", "7.1", b"\r\n0\r"),
    (b"3;a\r\nabc\r\n0;b=c\r\n\r\n", "7.1.1", b"abc"),
    (b'3 ;a="b;c"\r\nabc\r\n0\t;\r\n\r\n', "7.1.1", b"abc"),
    (b"3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n", "7.1.2", b"abc"),
]

BAD = [
    # coded, section of RFC 9112
    (b"\r\n", "7.1"),
    (b";a\r\n", "7.1"),
    (b"g\r\n", "7.1"),
    (b"0x3\r\n", "7.1"),
    (b"-3\r\n", "7.1"),
    (b"+3\r\n", "7.1"),
    (b" 3\r\n", "7.1"),
    (b"3 \r\nabc", "7.1.1"),
    (b"3_0\r\n", "7.1"),
    (b"3\nabc\n0\n\n", "7.1"),
    (b"3;a\nabc", "7.1.1"),
    (b"3;\0\r\n", "7.1.1"),
    (b"3;a\rb\r\n", "7.1.1"),
    (b"11111111111111111\r\n", "7.1"),
    (b"3\r\nabcd\r\n", "7.1"),
    (b"3\r\nabc\n0\r\n\r\n", "7.1"),
    (b"3\r\nabc\r0\r\n\r\n", "7.1"),
    (b"3\r\nabc0\r\n\r\n", "7.1"),
    (b"0\r\nA : b\r\n\r\n", "7.1.2"),
    (b"0\r\nA: b\n\r\n", "7.1.2"),
    (b"0\r\nA: b\r\n c\r\n\r\n", "7.1.2"),
    (b"0\r\nContent-Length: 3\r\n\r\n", "7.1.2"),
    (b"0\r\nTransfer-Encoding: chunked\r\n\r\n", "7.1.2"),
]


class SizedReaderTests(SynchronousTestCase):
    def test_pieces(self) -> None:
        """The body ends at its length, and what follows is left alone."""
        reader = SizedReader(5)
        self.assertEqual((reader.feed(b"abc"), reader.left, reader.ended), (b"abc", 2, False))
        self.assertEqual((reader.feed(b"deGET"), reader.left, reader.ended), (b"de", 0, True))
        self.assertEqual((reader.rest, reader.trailers), (b"GET", ()))

    def test_exact(self) -> None:
        """Nothing is left over by a body that ends with what was read."""
        reader = SizedReader(3)
        self.assertEqual((reader.feed(b"abc"), reader.ended, reader.rest), (b"abc", True, b""))


class ChunkedReaderTests(SynchronousTestCase):
    def test_good(self) -> None:
        """What RFC 9112 section 7.1 allows is understood."""
        for coded, section, content in GOOD:
            reader = ChunkedReader()
            self.assertEqual(
                (coded, section, reader.feed(coded + b"GET")), (coded, section, content), (coded, section, content)
            )
            self.assertEqual((coded, reader.ended, reader.rest), (coded, True, b"GET"), (coded, section, content))

    def test_bad(self) -> None:
        """What it does not allow is refused, whole or byte for byte."""
        for coded, section in BAD:
            for pieces in ([coded], [coded[at : at + 1] for at in range(len(coded))]):
                reader = ChunkedReader()
                with self.assertRaises(Refusal, msg=repr((coded, section))) as caught:
                    for piece in pieces:
                        reader.feed(piece)
                self.assertEqual((coded, caught.exception.status), (coded, 400), pieces)

    def test_trailers(self) -> None:
        """Trailers keep order, case and repeats."""
        reader = ChunkedReader()
        reader.feed(b"0\r\nb: 1\r\nA:2 \r\nb: 3\r\n\r\n")
        self.assertEqual(reader.trailers, [(b"b", b"1"), (b"A", b"2"), (b"b", b"3")])

    def test_size_line_limit(self) -> None:
        """A chunk's extensions cannot grow without end."""
        reader = ChunkedReader()
        line = b"3;" + b"a" * (MAX_SIZE_LINE - 4)
        self.assertEqual(reader.feed(line + b"\r\nabc\r\n0\r\n\r\n"), b"abc")
        for pieces in ([line + b"aa\r\n"], [line, b"aaaa"]):
            reader = ChunkedReader()
            with self.assertRaises(Refusal) as caught:
                for piece in pieces:
                    reader.feed(piece)
            self.assertEqual(caught.exception.status, 400, pieces)

    def test_trailer_limit(self) -> None:
        """Nor can a trailer section."""
        section = b"A: " + b"b" * 35 + b"\r\n\r\n"
        reader = ChunkedReader(42)
        reader.feed(b"0\r\n" + section)
        self.assertTrue(reader.ended)
        for pieces in ([b"0\r\n" + section], [b"0\r\n", section[:41], b"c"]):
            reader = ChunkedReader(40)
            with self.assertRaises(Refusal) as caught:
                for piece in pieces:
                    reader.feed(piece)
            self.assertEqual(caught.exception.status, 431, pieces)

    def test_held(self) -> None:
        """Content is never kept back: it is passed on with the bytes that brought it."""
        reader = ChunkedReader()
        self.assertEqual(reader.feed(b"ffffff\r\nab"), b"ab")
        self.assertEqual(reader.feed(b"c" * 1000), b"c" * 1000)
        self.assertEqual((reader._partial, reader.left), (b"", None))

    @settings(max_examples=examples(50), deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=20), max_size=6), st.lists(st.integers(0, 200), max_size=12))
    def test_any_split(self, chunks: list[bytes], cuts: list[int]) -> None:
        """However the bytes arrive, content, trailers and what follows are the same."""
        coded = b"".join(b"%x;e\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        coded += b"0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n"
        places = sorted({0, len(coded), *(cut for cut in cuts if cut < len(coded))})
        reader, content, rest = ChunkedReader(), b"", b""
        for start, end in pairwise(places):
            if reader.ended:
                rest += coded[start:end]
                continue
            content += reader.feed(coded[start:end])
            rest += reader.rest
        self.assertEqual((content, reader.trailers, rest), (b"".join(chunks), [(b"A", b"b")], b"GET / HTTP/1.1\r\n"))

    @settings(max_examples=examples(50), deadline=None)
    @given(st.sampled_from([coded for coded, _ in BAD] + [coded for coded, _, _ in GOOD]), st.data())
    def test_any_split_is_judged_alike(self, coded: bytes, data: st.DataObject) -> None:
        """A sender cannot get a bad body accepted by cutting it elsewhere."""
        cut = data.draw(st.integers(0, len(coded)))

        def judged(*pieces: bytes) -> bool:
            reader = ChunkedReader()
            try:
                for piece in pieces:
                    reader.feed(piece)
            except Refusal:
                return False
            return True

        self.assertEqual(judged(coded), judged(coded[:cut], coded[cut:]))
