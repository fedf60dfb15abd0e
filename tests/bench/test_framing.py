"""Tests for L{llmproxy.bench.framing}."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.framing import HEAD_LIMIT, Chunks, Head, Malformed, Response, parse_head

from ..properties import examples
from ..tables import row

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: y\r\n\r\n"
LENGTH = OK + b"Content-Type: a\r\nContent-Length: 11\r\n\r\nhello world"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH

HEADS = [
    (OK + b"Content-Length: 3\r\n\r\n", Head(200, 3, False, False, 38)),
    (OK + b"content-length:  3 \r\nConnection: Close\r\n\r\n", Head(200, 3, False, True, 59)),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n", Head(200, None, True, False, 47)),
    (OK + b"X: y\r\n\r\n", Head(200, None, False, True, 25)),
    (b"HTTP/1.1 204 No Content\r\n\r\n", Head(204, 0, False, False, 27)),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Head(304, 0, False, False, 48)),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", Head(200, 3, False, True, 38)),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", Head(200, 3, False, False, 62)),
    (OK + b"Content-Length: 3\r\n", None),
]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


class HeadTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The end of a response is found whichever way it is framed."""
        for data, head in HEADS:
            self.assertEqual(parse_head(data), head, data)

    def test_malformed(self) -> None:
        """What is no response is an error, not a wait."""
        for data in (b"SSH-2.0-x\r\n\r\n", OK + b"Content-Length: x\r\n\r\n", b"x" * (HEAD_LIMIT + 1)):
            with row(data):
                self.assertRaises(Malformed, parse_head, data)


class ResponseTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(st.sampled_from([CHUNKED, LENGTH, INTERIM]), st.lists(st.integers(0, 120), max_size=8))
    def test_any_split(self, data: bytes, cuts: list[int]) -> None:
        """However the bytes arrive, the content is the same, and its end is where it was."""
        response = Response()
        content = b""
        pieces = split(data + b"HTTP", cuts)
        while not response.complete:
            content += response.feed(pieces.pop(0))
        self.assertEqual(content, b"hello world")
        self.assertEqual(response.received, 11)
        self.assertEqual(response.rest + b"".join(pieces), b"HTTP")

    def test_a_part_is_not_the_whole(self) -> None:
        """A response that is cut short is never counted as complete."""
        for data in (CHUNKED, LENGTH, INTERIM):
            for end in range(len(data)):
                response = Response()
                response.feed(data[:end])
                self.assertFalse(response.complete or response.closed(), data[:end])

    def test_until_closed(self) -> None:
        """Without a length the end of the connection is the end of the response."""
        response = Response()
        self.assertEqual(response.feed(OK + b"\r\nhello"), b"hello")
        self.assertFalse(response.complete)
        self.assertTrue(response.closed())

    def test_bad_chunks(self) -> None:
        """A body that breaks the chunked coding is an error."""
        for data in (b"x\r\n", b"-1\r\n", b"1\r\nabc\r\n", b"1" * (HEAD_LIMIT + 1)):
            with row(data):
                self.assertRaises(Malformed, Chunks().feed, data)
