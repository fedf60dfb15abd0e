"""Tests for L{llmproxy.web.api.stocksite}: the proxy's resource below a stock L{Site}, in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPFactory
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.errors import ClientLeft
from llmproxy.web.api.stocksite import AT_HAND, Downstream

from ..wire import get, post


class Transport(StringTransport):
    """
    @ivar ended: C{"closed"} or C{"reset"}; C{""} while it is open.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended = ""

    def loseConnection(self) -> None:
        self.ended = self.ended or "closed"

    def abortConnection(self) -> None:
        self.ended = "reset"


class Noting(Resource):
    """Notes the requests, as the proxy sees them; the test answers them."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Downstream] = []

    def render(self, request: Any) -> int:
        self.seen.append(Downstream(request))
        return NOT_DONE_YET


class Reader:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


class DownstreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.resource = Noting()
        site = Site(self.resource, reactor=self.clock)
        self.addCleanup(setattr, HTTPFactory, "_logDateTime", None)
        self.transport = Transport()
        self.channel: Any = site.buildProtocol(None)
        self.channel.callLater = self.clock.callLater
        self.channel.makeConnection(self.transport)

    def asked(self, request: bytes = get()) -> Downstream:
        self.channel.dataReceived(request)
        return self.resource.seen[-1]

    def sent(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def test_request(self) -> None:
        """The proxy sees target, fields and peer; a request without content has no body."""
        downstream = self.asked(get(b"/v1/a%2Fb?c", b"X-A: 1"))
        self.assertEqual(
            (downstream.method, downstream.uri, downstream.clientproto), (b"GET", b"/v1/a%2Fb?c", b"HTTP/1.1")
        )
        self.assertEqual(
            [(name.lower(), value) for name, value in downstream.raw_fields], [(b"host", b"a"), (b"x-a", b"1")]
        )
        self.assertEqual((downstream.client_host, downstream.secure, downstream.body), ("192.168.1.1", False, None))

    def test_body(self) -> None:
        """Content is there whole; what came in chunks goes on in chunks."""
        body = self.asked(post(b"abc")).body
        verifyObject(IBodyProducer, body)
        reader = Reader()
        self.successResultOf(body.startProducing(reader))
        self.assertEqual((body.length, reader.data), (3, b"abc"))
        self.asked().finish()
        self.setUp()
        chunked = get(b"/", b"Transfer-Encoding: chunked", method=b"POST") + b"3\r\nabc\r\n0\r\n\r\n"
        body = self.asked(chunked).body
        verifyObject(IBodyProducer, body)
        reader = Reader()
        self.successResultOf(body.startProducing(reader))
        self.assertEqual((body.length, reader.data), (UNKNOWN_LENGTH, b"abc"))

    def test_large_body(self) -> None:
        """A large one is read piece by piece, with a turn of the reactor between them."""
        content = b"x" * (3 * AT_HAND)
        body = self.asked(post(content)).body
        reader = Reader()
        reading: Deferred[None] = body.startProducing(reader)
        self.assertLess(len(reader.data), len(content))
        for _ in range(10):
            self.clock.advance(0.01)
        self.successResultOf(reading)
        self.assertEqual(reader.data, content)

    def test_exact(self) -> None:
        """The head has these fields, and what the framing needs; nothing of twisted.web's."""
        downstream = self.asked()
        downstream.write_head(299, b"Odd", [(b"x-ODD", b"1"), (b"X-odd", b"2")], 2)
        downstream.write(b"ok")
        downstream.finish()
        self.assertEqual(self.sent(), b"HTTP/1.1 299 Odd\r\nx-ODD: 1\r\nX-odd: 2\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual(self.transport.ended, "")

    def test_stated_length(self) -> None:
        """A length that is there already is not said twice."""
        downstream = self.asked()
        downstream.write_head(200, b"OK", [(b"content-LENGTH", b"2")], 2)
        downstream.write(b"ok")
        downstream.finish()
        self.assertEqual(self.sent(), b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\nok")

    def test_chunks(self) -> None:
        """Content of unknown length goes in chunks, with its trailers; to an old client until the connection ends."""
        downstream = self.asked()
        downstream.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        downstream.write(b"abc")
        downstream.finish([(b"X-Sum", b"1")])
        self.assertEqual(
            self.sent(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
        )
        self.setUp()
        downstream = self.asked(get(version=b"1.0"))
        downstream.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        downstream.write(b"abc")
        downstream.finish([(b"X-Sum", b"1")])
        self.assertEqual(self.sent(), b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc")
        self.assertEqual(self.transport.ended, "closed")

    def test_no_content(self) -> None:
        """204, 304 and answers to HEAD end with their head, and the next request is served."""
        for status, request in ((204, get()), (304, get()), (200, get(method=b"HEAD"))):
            downstream = self.asked(request)
            downstream.write_head(status, b"", [(b"ETag", b'"x"')], None)
            downstream.finish()
            self.assertTrue(self.sent().endswith(b'ETag: "x"\r\n\r\n'), status)
        self.assertEqual(len(self.resource.seen), 3)

    def test_too_short(self) -> None:
        """A part is never presented as the whole."""
        downstream = self.asked()
        downstream.write_head(200, b"OK", [], 6)
        downstream.write(b"abc")
        downstream.finish()
        self.assertEqual(self.transport.ended, "reset")

    def test_interim(self) -> None:
        """Interim responses are passed on before the head, and to those who know them."""
        downstream = self.asked()
        downstream.write_interim(103, b"Early Hints", [(b"Link", b"x")])
        self.assertEqual(self.sent(), b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        downstream.write_head(200, b"OK", [], 0)
        self.sent()
        downstream.write_interim(103, b"Early Hints", [])
        self.assertEqual(self.sent(), b"")
        self.setUp()
        self.asked(get(version=b"1.0")).write_interim(103, b"Early Hints", [])
        self.assertEqual(self.sent(), b"")

    def test_left(self) -> None:
        """A client that leaves is told of once; what is done for it afterwards hurts nobody."""
        downstream = self.asked()
        left: list[Failure] = []
        downstream.on_disconnect = left.append
        self.channel.connectionLost(Failure(ConnectionError()))
        left[0].trap(ClientLeft)
        downstream.write(b"abc")
        downstream.finish()
        downstream.abort()
        downstream.unregisterProducer()
        downstream.write_interim(103, b"", [])
        self.assertEqual((len(left), self.sent()), (1, b""))

    def test_abort(self) -> None:
        """Breaking off is visible to the client."""
        downstream = self.asked()
        downstream.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        downstream.write(b"abc")
        downstream.abort()
        downstream.abort()
        self.assertEqual((self.transport.ended, self.sent().endswith(b"0\r\n\r\n")), ("reset", False))

    def test_producer(self) -> None:
        """A slow client has the body pause."""
        downstream = self.asked()
        downstream.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        calls: list[str] = []

        class Body(BytesBody):
            def pauseProducing(self) -> None:
                calls.append("paused")

            def resumeProducing(self) -> None:
                calls.append("resumed")

        downstream.registerProducer(Body(b""), True)
        network: Any = self.transport.producer
        network.pauseProducing()
        network.resumeProducing()
        downstream.unregisterProducer()
        downstream.unregisterProducer()
        self.assertEqual(calls, ["paused", "resumed"])
