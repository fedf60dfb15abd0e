"""Answers in pieces: as fast as the client takes them, and no further."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from llmproxy.web.jsonresource import JsonResource
from llmproxy.web.operations import Call, Operation, RouteTable
from llmproxy.web.streamed import Streamed

from .http2wire import Http2Client
from .wire import Client, get

SIZE = 40_000
"""Bytes of a piece: two are more than a transport buffers."""


class Source:
    """
    @ivar made: how many pieces.
    @ivar closed: nobody waits for another one.
    @ivar waiting: the next piece is made when it fires; C{None} does not wait.
    """

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.made = 0
        self.closed = False
        self.waiting: Deferred[None] | None = None

    async def __call__(self) -> AsyncGenerator[bytes, None]:
        try:
            for number in range(self.pieces):
                if self.waiting is not None:
                    await self.waiting
                self.made += 1
                yield b"%d" % (number % 10) * SIZE
        finally:
            self.closed = True


class StreamedTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.source = Source(100)

        async def respond(call: Call) -> Streamed:
            return Streamed(b"text/csv", "all.csv", self.source)

        self.resource = JsonResource(RouteTable({"/all": {b"GET": Operation(respond)}}))


class Http1Tests(StreamedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = Client(self.resource)

    def content(self) -> bytes:
        return self.client.transport.sent.partition(b"\r\n\r\n")[2]

    def test_whole(self) -> None:
        """All pieces come, in chunks, and then the end; the next request finds the connection open."""
        self.client.transport.deliver(get(b"/all"))
        self.advance()
        self.assertEqual(self.content().count(b"%x\r\n" % SIZE), 100)
        self.assertTrue(self.content().endswith(b"0\r\n\r\n"))
        self.assertEqual((self.source.closed, self.resource.running), (True, 0))
        self.assertIn(b"Transfer-Encoding: chunked", self.client.transport.sent)

    def test_slow_client(self) -> None:
        """No piece is made that nobody takes: what is in memory does not grow with the answer."""
        self.client.transport.take(0)
        self.client.transport.deliver(get(b"/all"))
        self.advance()
        self.assertLessEqual(self.source.made, 3)
        self.client.transport.take(SIZE * 10)
        self.advance()
        self.assertLessEqual(self.source.made, 14)
        self.assertEqual(self.resource.running, 1)
        self.client.transport.take(None)
        self.advance()
        self.assertEqual((self.source.made, self.resource.running), (100, 0))

    def test_client_leaves(self) -> None:
        """Nothing more is made for a client that has left, whether it is waited for a piece or for the client."""
        for waits_for_piece in (False, True):
            self.setUp()
            if waits_for_piece:
                self.source.waiting = Deferred()
            else:
                self.client.transport.take(0)
            self.client.transport.deliver(get(b"/all"))
            self.advance()
            made = self.source.made
            self.client.transport.reset()
            self.advance()
            self.assertEqual((self.source.closed, self.resource.running), (True, 0), waits_for_piece)
            self.assertEqual(self.source.made, made, waits_for_piece)

    def test_broken(self) -> None:
        """An answer that cannot be finished is broken off: nobody takes a part for the whole."""
        self.source.waiting = Deferred()
        self.client.transport.deliver(get(b"/all"))
        self.advance()
        self.source.waiting.errback(OSError("the disk is gone"))
        self.advance()
        self.assertNotEqual(self.client.transport.ended, "")
        self.assertNotIn(b"0\r\n\r\n", self.content())
        self.assertEqual((self.source.closed, self.resource.running), (True, 0))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_head(self) -> None:
        """HEAD makes no piece."""
        self.client.transport.deliver(get(b"/all").replace(b"GET", b"HEAD", 1))
        self.advance()
        self.assertEqual((self.source.made, self.resource.running), (0, 0))
        self.assertIn(b"text/csv", self.client.transport.sent)

    def advance(self) -> None:
        for _ in range(300):
            self.client.clock.advance(0)


class Http2Tests(StreamedTestCase):
    def test_whole(self) -> None:
        """The same over HTTP/2, as far as the window allows at a time."""
        client = Http2Client(self.resource)
        stream = client.get("/all")
        for _ in range(100):
            client.run()
        self.assertEqual(client.ended[stream], "complete")
        self.assertEqual(len(client.contents[stream]), SIZE * 100)

    def test_slow_client(self) -> None:
        """A client that does not open its window holds it."""
        client = Http2Client(self.resource)
        client.takes = False
        client.get("/all")
        client.run()
        self.assertLess(self.source.made, 10)

    def test_reset(self) -> None:
        """A stream that the client resets ends it."""
        client = Http2Client(self.resource)
        client.takes = False
        client.reset(client.get("/all"))
        self.assertEqual((self.source.closed, self.resource.running), (True, 0))

    def test_broken(self) -> None:
        """The stream is reset, the connection stays."""
        self.source.waiting = Deferred()
        client = Http2Client(self.resource)
        stream = client.get("/all")
        self.source.waiting.errback(OSError("the disk is gone"))
        client.run()
        self.assertEqual((client.ended[stream], client.goaway), ("INTERNAL_ERROR", None))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class StockTests(StreamedTestCase):
    def begin(self) -> Any:
        site = Site(self.resource, reactor=Clock())
        channel = site.buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        channel.dataReceived(b"GET /all HTTP/1.1\r\nHost: a\r\n\r\n")
        return transport

    def test_whole(self) -> None:
        """Under a stock site of twisted.web too."""
        transport = self.begin()
        self.assertTrue(transport.value().endswith(b"0\r\n\r\n"))
        self.assertEqual((self.source.made, self.resource.running), (100, 0))

    def test_broken(self) -> None:
        """Broken off there too."""
        self.source.waiting = Deferred()
        transport = self.begin()
        self.source.waiting.errback(OSError("the disk is gone"))
        self.assertTrue(transport.disconnected)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
