"""Tests for L{llmproxy.upstream.foreignbody}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.errors import UpstreamReset
from llmproxy.upstream.foreignbody import ForeignBody

from ..tables import row
from .wire import Reader


class Transport:
    """What Twisted gives the reader of a body."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("paused")

    def resumeProducing(self) -> None:
        self.calls.append("resumed")

    def stopProducing(self) -> None:
        self.calls.append("stopped")


class Response:
    """A response of a stock client."""

    length = 6

    def __init__(self) -> None:
        self.transport = Transport()
        self.protocol: Any = None

    def deliverBody(self, protocol: Any) -> None:
        assert self.protocol is None, "a body is delivered once"
        self.protocol = protocol
        protocol.makeConnection(self.transport)


class ForeignBodyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.response = Response()
        self.body = ForeignBody(self.response)
        self.reader = Reader()

    def end(self, reason: Exception) -> None:
        self.response.protocol.connectionLost(Failure(reason))

    def test_interface(self) -> None:
        """It is a body like any other."""
        verifyObject(IBodyProducer, self.body)
        self.assertEqual(self.body.length, 6)

    def test_whole(self) -> None:
        """Every chunk passes, and both of HTTP's ends are ends."""
        for reason in (ResponseDone(), PotentialDataLoss()):
            self.setUp()
            producing = self.body.startProducing(self.reader)
            self.response.protocol.dataReceived(b"abc")
            self.response.protocol.dataReceived(b"def")
            with row(reason):
                self.assertNoResult(producing)
            self.end(reason)
            self.successResultOf(producing)
            self.assertEqual(self.reader.chunks, [b"abc", b"def"], reason)

    def test_cut(self) -> None:
        """A part is not the whole, and is told in our own words."""
        producing = self.body.startProducing(self.reader)
        self.end(ResponseFailed([Failure(ConnectionDone())]))
        self.failureResultOf(producing, UpstreamReset)

    def test_backpressure(self) -> None:
        """A reader that pauses has upstream not read from; afterwards there is nothing to pause."""
        self.body.pauseProducing()
        self.body.startProducing(self.reader)
        self.body.pauseProducing()
        self.body.resumeProducing()
        self.end(ResponseDone())
        self.body.pauseProducing()
        self.body.resumeProducing()
        self.assertEqual(self.response.transport.calls, ["paused", "resumed"])

    def test_stopped(self) -> None:
        """Who stops it hears nothing more, and upstream's connection ends."""
        producing = self.body.startProducing(self.reader)
        self.body.stopProducing()
        self.response.protocol.dataReceived(b"abc")
        self.end(ResponseDone())
        self.assertNoResult(producing)
        self.assertEqual((self.reader.chunks, self.response.transport.calls), ([], ["stopped"]))

    def test_stopped_before_its_start(self) -> None:
        """One that nobody read holds no connection either."""
        self.body.stopProducing()
        self.assertEqual(self.response.transport.calls, ["stopped"])

    def test_cancelled(self) -> None:
        """Cancelling is stopping."""
        producing = self.body.startProducing(self.reader)
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        self.assertEqual(self.response.transport.calls, ["stopped"])
