"""Tests for L{llmproxy.demo.events}."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.demo.events import EventWriter, event


class Request(DummyRequest):
    """Twisted's fake pulls from every producer for as long as it lives; ours pushes."""

    def registerProducer(self, prod: Any, s: bool) -> None:
        self.producer = prod


class EventTests(SynchronousTestCase):
    def test_shapes(self) -> None:
        """A name where Anthropic has one, compact JSON, a plain word as it is."""
        self.assertEqual(event({"a": [1, 2]}), b'data: {"a":[1,2]}\n\n')
        self.assertEqual(event({}, "ping"), b"event: ping\ndata: {}\n\n")
        self.assertEqual(event("[DONE]"), b"data: [DONE]\n\n")


class EventWriterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.request: Any = Request([b""])
        EventWriter(self.clock, self.request, (b"%d" % number for number in range(3)), 2.0).start()

    def test_one_after_another(self) -> None:
        """The first at once, the others each after a pause, and then the end."""
        self.clock.advance(0)
        self.assertEqual(self.request.written, [b"0"])
        self.clock.pump([2.0, 2.0])
        self.assertEqual((self.request.written, self.request.finished), ([b"0", b"1", b"2"], 0))
        self.clock.advance(2.0)
        self.assertEqual((self.request.finished, self.clock.getDelayedCalls()), (1, []))
        self.assertEqual(
            self.request.responseHeaders.getRawHeaders("content-type"), ["text/event-stream; charset=utf-8"]
        )

    def test_slow_reader(self) -> None:
        """Nothing is written for a reader that takes nothing, and nothing is lost."""
        self.clock.advance(0)
        writer = self.request.producer
        writer.pauseProducing()
        self.clock.advance(60)
        self.assertEqual(self.request.written, [b"0"])
        writer.resumeProducing()
        self.clock.pump([0, 2.0])
        self.assertEqual(self.request.written, [b"0", b"1", b"2"])

    def test_client_leaves(self) -> None:
        """No timer runs for a client that has left."""
        self.clock.advance(0)
        self.request.processingFailed(Failure(ConnectionLost()))
        self.assertEqual((self.clock.getDelayedCalls(), self.request.written), ([], [b"0"]))
