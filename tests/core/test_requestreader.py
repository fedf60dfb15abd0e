"""Tests for L{llmproxy.core.requestreader}: what comes out does not depend on how the bytes came in."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http11 import CHUNKED, Head, Refusal
from llmproxy.core.requestreader import Piece, RequestReader

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"


def reader(target: int = 100, head: int = 300, fields: int = 5) -> RequestReader:
    return RequestReader(target, head, fields)


def next_event(reading: RequestReader) -> Head | Piece | None:
    return reading.next_head() if reading.left == 0 else reading.next_piece()


def events(reading: RequestReader, *pieces: bytes) -> list[Any]:
    """What is read, with bodies put together: lines of requests, content, trailers, and a refusal's status."""
    found: list[Any] = []
    content = b""
    for data in pieces:
        reading.feed(data)
        try:
            while (event := next_event(reading)) is not None:
                if isinstance(event, Head):
                    found.append((event.method, event.target))
                    if event.length:
                        reading.begin_body(event.length)
                    continue
                content += event.data
                if event.ended:
                    found.append((content, list(event.trailers)))
                    content = b""
        except Refusal as refusal:
            return [*found, refusal.status]
    return found


class EventTests(SynchronousTestCase):
    def test_one_after_another(self) -> None:
        """Requests come out one after another, each body with its end and its trailers."""
        self.assertEqual(
            events(reader(), GET + POST + CHUNKS + GET),
            [
                (b"GET", b"/a"),
                (b"POST", b"/b"),
                (b"hello", []),
                (b"PUT", b"/c"),
                (b"abcde", [(b"X", b"y")]),
                (b"GET", b"/a"),
            ],
        )

    @given(st.lists(st.sampled_from([GET, POST, CHUNKS, b"\r\n", b"\0", b"GET a\r\n\r\n", b"\n"])), st.data())
    def test_any_split(self, parts: list[bytes], data: st.DataObject) -> None:
        """However the bytes are cut, the same comes out, refusals too."""
        whole = b"".join(parts)
        at = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
        pieces = [whole[start:end] for start, end in zip([0, *at], [*at, len(whole)], strict=True)]
        self.assertEqual(events(reader(), *pieces), events(reader(), whole))

    def test_nothing_yet(self) -> None:
        """A part of a head is no event, and stays unread."""
        for part in (b"", b"\r", b"\r\n", b"G", GET[:-1]):
            reading = reader()
            reading.feed(part)
            self.assertIsNone(reading.next_head(), part)
        self.assertEqual(reading.take(), GET[:-1])
        self.assertEqual(reading.unread, b"")

    def test_refused(self) -> None:
        """What can be no request any more is refused before it is here whole, and by its own reason."""
        for data, status in (
            (b"\0", 400),
            (b"GET /\n", 400),
            (b"GET /" + b"x" * 101, 414),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 300, 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 60 + b"\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5 + b"\r\n", 431),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            (CHUNKS[:-20] + b"zz\r\n", 400),
        ):
            self.assertEqual(events(reader(), data)[-1:], [status], data)

    def test_no_event_is_a_refusal(self) -> None:
        """A refusal within a body says that it was the body: the head has come out."""
        self.assertEqual(events(reader(), CHUNKS[:57], b"nonsense\r\n"), [(b"PUT", b"/c"), 400])


class BodyTests(SynchronousTestCase):
    def read_head(self, data: bytes) -> tuple[RequestReader, int]:
        reading = reader()
        reading.feed(data)
        head = reading.next_head()
        assert head is not None
        return reading, head.length

    def test_whole(self) -> None:
        """A body that came with its head needs no events; what follows it is left."""
        for rest in (b"", GET[:7], GET):
            reading, length = self.read_head(POST + rest)
            self.assertEqual((reading.whole_body(length), reading.unread), (b"hello", rest), rest)

    def test_not_whole(self) -> None:
        """One that is not here, or whose length is not known, is read piece by piece, and nothing is lost."""
        for data, came in ((POST[:-1], b"hell"), (POST[:-5], b""), (CHUNKS, CHUNKS[56:])):
            reading, length = self.read_head(data)
            self.assertEqual((reading.whole_body(length), reading.unread), (None, came), (data, came))

    def test_left(self) -> None:
        """What is left of a body is known by its length, not of chunks, and without one it is nothing."""
        reading = reader()
        self.assertEqual(reading.left, 0)
        reading.begin_body(5)
        reading.feed(b"abc")
        piece = reading.next_piece()
        assert piece is not None
        self.assertEqual((reading.left, piece.data, piece.ended), (2, b"abc", False))
        chunked = reader()
        chunked.begin_body(CHUNKED)
        self.assertIsNone(chunked.left)

    def test_has_head(self) -> None:
        """Whether a whole further request line and fields are here is seen without reading them."""
        for data, expected in ((b"", False), (GET[:-1], False), (GET, True), (GET + b"x", True)):
            reading = reader()
            reading.feed(data)
            self.assertEqual((reading.has_head, reading.unread), (expected, data), data)
