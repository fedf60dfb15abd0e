"""Tests for L{llmproxy.bench.upstream}."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.answers import COMPLETION, Pace
from llmproxy.bench.framing import Response
from llmproxy.bench.streams import STAMP
from llmproxy.bench.upstream import Upstream

from ..tables import row

POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"


class UpstreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        listener, self.other = socket.socketpair()
        self.upstream = Upstream(listener, Pace(3, 0))
        self.addCleanup(self.other.close)
        self.addCleanup(self.upstream.close)

    def connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.upstream.adopt(theirs)
        self.addCleanup(ours.close)
        return ours

    def turn(self, count: int = 1) -> None:
        for _ in range(count):
            self.upstream.turn(0)

    def read(self, client: socket.socket) -> bytes:
        try:
            return client.recv(1 << 20)
        except BlockingIOError:
            return b""

    def ask(self, *pieces: bytes, turns: int = 1) -> bytes:
        client = self.connect()
        for piece in pieces:
            client.send(piece)
            self.turn()
        self.turn(turns)
        return self.read(client)

    def test_completion(self) -> None:
        """The same answer each time, whether the head was seen before or not."""
        client = self.connect()
        for _ in range(3):
            client.send(POST)
            self.turn()
            self.assertEqual(self.read(client), COMPLETION)

    def test_any_split(self) -> None:
        """A request that comes in two pieces is answered once, when it is whole."""
        for at in range(1, len(POST)):
            self.assertEqual(self.ask(POST[:at], POST[at:]), COMPLETION, at)

    def test_pipelined(self) -> None:
        """Two requests at once are both answered."""
        self.assertEqual(self.ask(POST + POST), COMPLETION * 2)

    def stream_of(self, data: bytes) -> list[bytes]:
        response = Response()
        content = response.feed(data)
        self.assertTrue(response.complete)
        self.assertTrue(content.endswith(b"data: [DONE]\n\n"))
        return [bytes(stamp) for stamp in STAMP.findall(content)]

    def test_stream(self) -> None:
        """As many stamped events as the query asks for, or as is usual if the body does."""
        asked = b"POST /v1?sse=5&interval=0 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
        self.assertEqual(len(self.stream_of(self.ask(asked, turns=10))), 5)
        wanted = POST.replace(b"Length: 2", b"Length: 15").replace(b"{}", b'{"stream":true}')
        self.assertEqual(len(self.stream_of(self.ask(wanted, turns=10))), 3)
        chunked = POST.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked").replace(b"{}", b"")
        self.assertEqual(len(self.stream_of(self.ask(chunked + b'f\r\n{"stream":true}\r\n0\r\n\r\n', turns=10))), 3)

    def test_download_and_upload(self) -> None:
        """Bytes come as many as were asked for; those that go up are counted, however they are framed."""
        got = self.ask(b"GET /bytes/1000 HTTP/1.1\r\nHost: h\r\n\r\n", turns=2)
        self.assertTrue(got.endswith(b"\r\n\r\n" + b"\0" * 1000))
        head = b"POST /sink HTTP/1.1\r\nHost: h\r\n"
        self.assertIn(b'{"received":9}', self.ask(head + b"Content-Length: 9\r\n\r\n1234", b"56789"))
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        self.assertIn(b'{"received":4}', self.ask(chunked + b"3\r\nabc\r\n", b"1\r\nd\r\n0\r\n\r\n"))

    def test_a_download_that_does_not_fit(self) -> None:
        """It goes on as there is room, and ends where it should."""
        client = self.connect()
        client.send(b"GET /bytes/3000000 HTTP/1.1\r\nHost: h\r\n\r\n" + POST)
        got = b""
        for _ in range(200):
            self.turn()
            got += self.read(client)
        self.assertTrue(got.endswith(COMPLETION))
        self.assertEqual(len(got.partition(b"\r\n\r\n")[2]), 3_000_000 + len(COMPLETION))

    def test_expect(self) -> None:
        """Who waits for 100 Continue gets it, and then the answer."""
        client = self.connect()
        client.send(b"POST /v1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.turn()
        self.assertEqual(self.read(client), b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"{}")
        self.turn()
        self.assertEqual(self.read(client), COMPLETION)

    def test_close(self) -> None:
        """Who wants no more answers has the connection closed after this one."""
        client = self.connect()
        client.send(POST.replace(b"Host: h", b"Host: h\r\nConnection: close"))
        self.turn()
        self.assertEqual((self.read(client), client.recv(10)), (COMPLETION, b""))

    def test_no_request(self) -> None:
        """What is no request, or has a head without an end, is cut off."""
        for data in (b"HELO\r\n\r\n", b"x" * 70_000, POST.replace(b"Length: 2", b"Length: x")):
            client = self.connect()
            client.send(data)
            self.turn(2)
            with row(data):
                self.assertRaises((ConnectionError, AssertionError), self._still_open, client)

    def _still_open(self, client: socket.socket) -> None:
        assert client.recv(10)
