"""Tests for L{llmproxy.web.http1.response}: each byte is written as it is given."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.errors import ClientLeft
from llmproxy.web.http1.request import ProxyRequest

from ..wire import Client, Streaming, get

CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nB: 1\r\n\r\n"


class ResponseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Client(self.resource)

    def ask(self, data: bytes = get()) -> ProxyRequest:
        self.client.send(data)
        request: ProxyRequest = self.resource.seen[-1].request
        return request

    def test_bytes(self) -> None:
        """Fields are written as given, and nothing is added but the framing."""
        request = self.ask()
        request.write_head(201, b"Very Fine", [(b"x-B", b"1"), (b"A", b"\xff"), (b"x-b", b"2")], 3)
        request.write(b"abc")
        request.finish()
        self.assertEqual(
            self.client.received,
            b"HTTP/1.1 201 Very Fine\r\nx-B: 1\r\nA: \xff\r\nx-b: 2\r\nContent-Length: 3\r\n\r\nabc",
        )

    def test_chunks(self) -> None:
        """Of a length that nobody knows, each write is a chunk, and trailers follow the last."""
        request = self.ask()
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.write(b"abc")
        request.write(b"")
        request.write(b"x" * 16)
        request.finish([(b"B", b"1")])
        self.assertEqual(
            self.client.received.partition(b"\r\n\r\n")[2], b"3\r\nabc\r\n10\r\n" + b"x" * 16 + b"\r\n0\r\nB: 1\r\n\r\n"
        )

    def test_whole(self) -> None:
        """A response that is there whole is one write, and the next request is read."""
        for length, rest in ((3, b"Content-Length: 3\r\n\r\nabc"), (UNKNOWN_LENGTH, CHUNKS)):
            request = self.ask()
            had, writes = len(self.client.received), self.client.transport.writes
            request.write_whole(200, b"OK", [], length, b"abc", [(b"B", b"1")])
            self.assertEqual(self.client.received[had:], b"HTTP/1.1 200 OK\r\n" + rest, (length, rest))
            self.assertEqual((self.client.transport.writes - writes, request.finished), (1, 1), (length, rest))
        self.assertEqual(self.client.ended, "")

    def test_whole_but_not_all(self) -> None:
        """What is not of the length that its head says is broken off, in one piece too."""
        for content in (b"ab", b"abcd"):
            client = Client(self.resource)
            client.send(get())
            self.resource.seen[-1].request.write_whole(200, b"OK", [], 3, content)
            client.run()
            self.assertNotIn(b"abc", client.received)
            self.assertEqual(client.ended, "closed", content)

    def test_whole_for_nobody(self) -> None:
        """Nothing is written to a client that has left."""
        request = self.ask()
        self.client.leave()
        request.write_whole(200, b"OK", [], 3, b"abc")
        self.assertEqual(self.client.received, b"")

    def test_head_is_not_held(self) -> None:
        """A head, and a chunk, leave in the same turn of the reactor, whether more follows or not."""
        request = self.ask()
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.assertEqual(self.client.received, b"")
        self.client.run()
        self.assertTrue(self.client.received.endswith(b"\r\n\r\n"))
        request.write(b"abc")
        self.assertTrue(self.client.received.endswith(b"3\r\nabc\r\n"))

    def test_held_is_bounded(self) -> None:
        """Not more than a few pieces wait for the end of the turn."""
        for piece, count in ((b"x" * 20_000, 1), (b"x", 20)):
            request = self.ask()
            had = len(self.client.received)
            request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
            for _ in range(count):
                request.write(piece)
            self.assertGreater(len(self.client.received), had, piece)
            request.finish()

    def test_no_content(self) -> None:
        """RFC 9112 section 6.3: HEAD, 204 and 304 have none, whatever is written, and the connection goes on."""
        for method, status in ((b"HEAD", 200), (b"GET", 204), (b"GET", 304)):
            request = self.ask(get(method=method))
            request.write_head(status, b"Fine", [], UNKNOWN_LENGTH if status == 200 else None)
            request.write(b"abc")
            request.finish()
            self.assertTrue(self.client.received.endswith(b"\r\n\r\n"), method)
        self.assertNotIn(b"abc", self.client.received)
        self.assertEqual(self.client.ended, "")

    def test_too_short(self) -> None:
        """A response that ends before its length is broken off: the client sees that something is missing."""
        request = self.ask()
        request.write_head(200, b"OK", [], 5)
        request.write(b"abc")
        request.finish()
        self.client.run()
        self.assertTrue(self.client.received.endswith(b"abc"))
        self.assertEqual(self.client.ended, "closed")

    def test_too_long(self) -> None:
        """Of a response that is longer the client sees nothing that it would take for another."""
        request = self.ask()
        request.write_head(200, b"OK", [], 2)
        request.write(b"abc")
        self.client.run()
        self.assertNotIn(b"abc", self.client.received)
        self.assertEqual(self.client.ended, "closed")

    def test_abort(self) -> None:
        """What was written arrives, the end does not."""
        request = self.ask()
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.write(b"abc")
        request.abort()
        self.client.run()
        self.assertTrue(self.client.received.endswith(b"3\r\nabc\r\n"))
        self.assertEqual((self.client.ended, self.resource.seen[0].left), ("closed", []))

    def test_abort_of_an_old_client(self) -> None:
        """Where the end of the connection is the end of the content, a reset tells a part from the whole."""
        request = self.ask(get(version=b"1.0"))
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.write(b"abc")
        request.abort()
        self.assertEqual(self.client.ended, "reset")

    def test_abort_before_the_head(self) -> None:
        """So it does before the head."""
        self.ask().abort()
        self.assertEqual((self.client.ended, self.client.received), ("reset", b""))

    def test_interim(self) -> None:
        """1xx responses pass before the head, at once; not after it, and not to HTTP/1.0 clients."""
        request = self.ask()
        request.write_interim(103, b"Early Hints", [(b"Link", b"</a>")])
        self.assertEqual(self.client.received, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        request.write_head(200, b"OK", [], 0)
        request.write_interim(103, b"Early Hints", [])
        request.finish()
        self.assertEqual(self.client.received.count(b"103"), 1)
        old = self.ask(get(version=b"1.0"))
        old.write_interim(103, b"Early Hints", [])
        self.assertEqual(self.client.received.count(b"103"), 1)

    def test_two_heads(self) -> None:
        """A second head is a fault of its author, not bytes for the client."""
        request = self.ask()
        request.write_head(200, b"OK", [], 0)
        self.assertRaises(RuntimeError, request.write_head, 200, b"OK", [], 0)

    def test_bad_field(self) -> None:
        """A head that cannot be written leaves room for another answer."""
        request = self.ask()
        self.assertRaises(ValueError, request.write_head, 200, b"OK", [(b"A", b"b\r\nC: d")], 0)
        request.write_head(502, b"Bad", [], 0)
        request.finish()
        self.assertEqual(self.client.status, 502)
        self.assertNotIn(b"C: d", self.client.received)

    def test_left(self) -> None:
        """Who answers hears once that the client left, and what it writes then goes nowhere."""
        request = self.ask()
        waiting = request.notifyFinish()
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.client.leave()
        self.resource.seen[0].left[0].trap(ClientLeft)
        self.assertEqual(len(self.resource.seen[0].left), 1)
        self.failureResultOf(waiting)
        request.write(b"abc")
        request.finish()
        request.abort()
        self.assertEqual(len(self.resource.seen[0].left), 1)

    def test_left_afterwards(self) -> None:
        """Nobody is told of a client that leaves when it has its response."""
        request = self.ask()
        waiting = request.notifyFinish()
        self.resource.seen[0].answer()
        self.successResultOf(waiting)
        self.client.leave()
        self.assertEqual(self.resource.seen[0].left, [])
