"""Tests for L{llmproxy.upstream.response}: what treq's callers and Twisted's do with one."""

from __future__ import annotations

from typing import Any

import treq
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse
from zope.interface.verify import verifyObject

from llmproxy.errors import UpstreamReset
from llmproxy.interfaces import IUpstreamResponse

from .wire import Wire

HEAD = (
    b"HTTP/1.1 200 Fine\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nX: 1\r\nx: 2\r\n\r\n"
)
JSON = b'{"a": "\xc3\xa9"}'


class Reading(Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.ended: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = reason


class ResponseTests(SynchronousTestCase):
    def answered(self, *pieces: bytes) -> Any:
        self.wire = Wire()
        responding = self.wire.request()
        self.socket = self.wire.accept()
        self.socket.say(*pieces)
        return self.successResultOf(responding)

    def test_interfaces(self) -> None:
        """It is a response to everybody who knows one."""
        response = self.answered(HEAD % 0)
        verifyObject(IResponse, response)
        verifyObject(IUpstreamResponse, response)
        self.assertEqual((response.version, response.code, response.phrase), ((b"HTTP", 1, 1), 200, b"Fine"))
        self.assertEqual(response.headers.getRawHeaders(b"X"), [b"1", b"2"])
        self.assertEqual(response.request.absoluteURI, b"http://192.0.2.1:8000/")
        self.assertRaises(NotImplementedError, response.setPreviousResponse, response)
        self.assertEqual(self.answered(b"HTTP/1.0 200 OK\r\n\r\n").version, (b"HTTP", 1, 0))

    def test_treq(self) -> None:
        """Content is read in all of treq's ways, by methods and by functions."""
        whole = HEAD % len(JSON) + JSON
        self.assertEqual(self.successResultOf(self.answered(whole).content()), JSON)
        self.assertEqual(self.successResultOf(self.answered(whole).json()), {"a": "é"})
        self.assertEqual(self.successResultOf(self.answered(whole).text()), '{"a": "é"}')
        self.assertEqual(self.successResultOf(treq.content(self.answered(whole))), JSON)
        chunks: list[bytes] = []
        self.successResultOf(self.answered(whole).collect(chunks.append))
        self.assertEqual(chunks, [JSON])

    def test_none(self) -> None:
        """So is the content of a response that has none."""
        response = self.answered(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual(self.successResultOf(treq.content(response)), b"")

    def delivered(self, *pieces: bytes) -> Reading:
        reading = Reading()
        self.answered(*pieces).deliverBody(reading)
        return reading

    def test_delivered(self) -> None:
        """A protocol gets the content as it comes, and is told of its end."""
        reading = self.delivered(HEAD % 6 + b"abc")
        self.socket.say(b"def")
        self.assertEqual(reading.data, b"abcdef")
        assert reading.ended is not None
        reading.ended.trap(ResponseDone)

    def test_cut(self) -> None:
        """A part is not the whole."""
        reading = self.delivered(HEAD % 6 + b"abc")
        self.socket.hang_up()
        assert reading.ended is not None
        reading.ended.trap(UpstreamReset)

    def test_transport(self) -> None:
        """The protocol's transport pauses upstream, and ends its connection."""
        reading = self.delivered(HEAD % 6)
        transport: Any = reading.transport
        transport.pauseProducing()
        self.assertTrue(self.socket.paused)
        transport.resumeProducing()
        self.assertFalse(self.socket.paused)
        transport.loseConnection()
        self.assertTrue(self.socket.aborted)
        assert reading.ended is not None
        reading.ended.trap(ConnectionAborted)
        transport.abortConnection()
        transport.pauseProducing()
        transport.resumeProducing()

    def test_cancelled(self) -> None:
        """Whoever stops collecting ends the connection, which treq's own responses keep."""
        response = self.answered(HEAD % 6)
        collecting = response.body.startProducing(type("Reader", (), {"write": lambda self, data: None})())
        collecting.cancel()
        self.failureResultOf(collecting, CancelledError)
        self.assertTrue(self.socket.aborted)
