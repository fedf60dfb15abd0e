"""Tests for L{llmproxy.web.http1.uploads}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http11 import CHUNKED, Refusal
from llmproxy.core.requestreader import Piece, RequestReader
from llmproxy.errors import ClientLeft
from llmproxy.web.http1.requestbody import RequestBody
from llmproxy.web.http1.uploads import BufferedUpload, StreamedUpload


def reading(length: int) -> RequestReader:
    """A reader within a body."""
    reader = RequestReader(1000, 1000, 100)
    reader.begin_body(length)
    return reader


def read(reader: RequestReader, data: bytes) -> Piece:
    """The piece that C{data} brings."""
    reader.feed(data)
    piece = reader.next_piece()
    assert piece is not None
    return piece


class Quiet:
    """A channel that does nothing."""

    def body_wanted(self) -> None: ...

    def reconsider(self) -> None: ...


class Consumer:
    def __init__(self) -> None:
        self.received = b""

    def write(self, data: bytes) -> None:
        self.received += data


class Request:
    """
    @ivar rendered: what was asked for an answer, with its content.
    """

    rendered: tuple[Any, bytes] | None = None

    def render_whole(self, resource: Any, content: bytes) -> None:
        self.rendered = resource, content


class StreamedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.body = RequestBody(Quiet(), 6)
        self.reader = reading(6)
        self.incoming = StreamedUpload(self.body)

    def arrives(self, data: bytes) -> None:
        self.incoming.arrived(read(self.reader, data))

    def test_as_it_comes(self) -> None:
        consumer = Consumer()
        producing = self.body.startProducing(consumer)  # type: ignore[arg-type]
        self.arrives(b"abc")
        self.assertEqual(consumer.received, b"abc")
        self.assertNoResult(producing)
        self.arrives(b"def")
        self.assertEqual(consumer.received, b"abcdef")
        self.successResultOf(producing)

    def test_trailers(self) -> None:
        """They are the body's once it has ended."""
        body = RequestBody(Quiet(), 6)
        incoming = StreamedUpload(body)
        incoming.arrived(read(reading(CHUNKED), b"1\r\nx\r\n0\r\nA: b\r\n\r\n"))
        self.assertEqual((body.complete, list(body.trailers)), (True, [(b"A", b"b")]))

    def test_wanted(self) -> None:
        """Before somebody reads and after they have stopped nobody wants it, and only then it is dropped."""
        states = [(self.incoming.wants_data, self.incoming.unread, self.incoming.dropped)]
        self.body.startProducing(Consumer())  # type: ignore[arg-type]
        states.append((self.incoming.wants_data, self.incoming.unread, self.incoming.dropped))
        self.body.pauseProducing()
        states.append((self.incoming.wants_data, self.incoming.unread, self.incoming.dropped))
        self.incoming.drop()
        states.append((self.incoming.wants_data, self.incoming.unread, self.incoming.dropped))
        self.assertEqual(
            states, [(True, True, False), (True, False, False), (False, False, False), (False, True, True)]
        )

    def test_fails(self) -> None:
        producing = self.body.startProducing(Consumer())  # type: ignore[arg-type]
        self.incoming.fail(ClientLeft())
        self.failureResultOf(producing, ClientLeft)


class CollectedTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """The resource is asked when all is here, and knows of nothing before."""
        request = Request()
        incoming = BufferedUpload(request, "resource", 6)  # type: ignore[arg-type]
        reader = reading(6)
        incoming.arrived(read(reader, b"abc"))
        self.assertEqual((incoming.called, request.rendered), (False, None))
        incoming.arrived(read(reader, b"def"))
        self.assertEqual((incoming.called, request.rendered), (True, ("resource", b"abcdef")))

    def test_too_much(self) -> None:
        """Chunks that are too many are refused as soon as they are."""
        request = Request()
        incoming = BufferedUpload(request, "resource", 6)  # type: ignore[arg-type]
        reader = reading(CHUNKED)
        incoming.arrived(read(reader, b"6\r\nabcdef\r\n"))
        refusal = self.assertRaises(Refusal, incoming.arrived, read(reader, b"1\r\ng\r\n"))
        self.assertEqual((refusal.status, request.rendered), (413, None))

    def test_always_wanted(self) -> None:
        """It is read for the resource, whatever becomes of it."""
        incoming = BufferedUpload(Request(), "resource", 6)  # type: ignore[arg-type]
        incoming.drop()
        incoming.fail(ClientLeft())
        self.assertEqual((incoming.wants_data, incoming.unread, incoming.dropped), (True, False, False))
