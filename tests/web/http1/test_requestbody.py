"""Tests for L{llmproxy.web.http1.requestbody}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.bodies import at_hand
from llmproxy.errors import ClientLeft
from llmproxy.web.http1.requestbody import RequestBody

from ..wire import Consumer


class Channel:
    """Counts what the body asks for."""

    def __init__(self) -> None:
        self.wanted = self.reconsidered = 0

    def body_wanted(self) -> None:
        self.wanted += 1

    def reconsider(self) -> None:
        self.reconsidered += 1


class RequestBodyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.channel: Any = Channel()
        self.body = RequestBody(self.channel, 6)
        self.consumer: Any = Consumer()

    def test_interface(self) -> None:
        """It is a body like any other."""
        verifyObject(IBodyProducer, self.body)

    def test_taken(self) -> None:
        """All of one that is here can be taken, once."""
        for piece in (b"ab", b"cd", b"ef"):
            self.body.arrived(piece)
        self.body.ended(())
        self.assertEqual(self.body.take(), b"abcdef")
        self.assertFalse(at_hand(self.body))
        self.assertRaises(RuntimeError, self.body.startProducing, self.consumer)

    def test_on_its_way(self) -> None:
        """What has come is delivered at the start, in order, the rest as it comes, and then the end."""
        self.body.arrived(b"ab")
        self.assertFalse(at_hand(self.body))
        done = self.body.startProducing(self.consumer)
        self.body.arrived(b"cd")
        self.body.arrived(b"ef")
        self.assertNoResult(done)
        self.body.ended([(b"A", b"b")])
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual((self.consumer.pieces, self.body.trailers), ([b"ab", b"cd", b"ef"], [(b"A", b"b")]))
        self.assertEqual(self.channel.wanted, 1)

    def test_at_hand(self) -> None:
        """One that is here whole is delivered at once; the client is not asked for it."""
        self.body.arrived(b"abcdef")
        self.body.ended(())
        self.assertTrue(at_hand(self.body))
        self.successResultOf(self.body.startProducing(self.consumer))
        self.assertEqual((self.consumer.data, self.channel.wanted, at_hand(self.body)), (b"abcdef", 0, False))

    def test_once(self) -> None:
        """It cannot be read twice."""
        self.body.startProducing(self.consumer)
        self.assertRaises(RuntimeError, self.body.startProducing, self.consumer)

    def test_paused(self) -> None:
        """A paused reader gets nothing, not even the end, and the channel is told not to read."""
        done = self.body.startProducing(self.consumer)
        self.body.pauseProducing()
        self.assertFalse(self.body.wants_data)
        self.body.arrived(b"abcdef")
        self.body.ended(())
        self.assertEqual(self.consumer.data, b"")
        self.assertNoResult(done)
        self.body.resumeProducing()
        self.assertEqual(self.consumer.data, b"abcdef")
        self.successResultOf(done)

    def test_paused_within_a_write(self) -> None:
        """A reader that pauses with a piece in its hand gets no second one."""
        self.body.arrived(b"ab")
        self.body.arrived(b"cd")
        write = self.consumer.write
        self.consumer.write = lambda data: (write(data), self.body.pauseProducing())
        self.body.startProducing(self.consumer)
        self.assertEqual(self.consumer.data, b"ab")
        self.body.resumeProducing()
        self.assertEqual(self.consumer.data, b"abcd")

    def test_wants_data(self) -> None:
        """There is room for a piece where none waits."""
        self.assertTrue(self.body.wants_data)
        self.body.arrived(b"ab")
        self.assertFalse(self.body.wants_data)
        self.body.startProducing(self.consumer)
        self.assertTrue(self.body.wants_data)

    def test_failed(self) -> None:
        """A body that breaks fails, before its start or after it, and nothing of it is held."""
        done = self.body.startProducing(self.consumer)
        self.body.fail(Failure(ClientLeft()))
        self.failureResultOf(done, ClientLeft)
        early = RequestBody(self.channel, 6)
        early.arrived(b"ab")
        early.fail(Failure(ClientLeft()))
        self.assertFalse(at_hand(early))
        self.failureResultOf(early.startProducing(self.consumer), ClientLeft)
        self.assertEqual((early._waiting, self.consumer.data), ([], b""))

    def test_failed_after_the_end(self) -> None:
        """A body that is here is not taken back by a client that leaves."""
        self.body.arrived(b"abcdef")
        self.body.ended(())
        self.body.fail(Failure(ClientLeft()))
        self.successResultOf(self.body.startProducing(self.consumer))
        self.assertEqual(self.consumer.data, b"abcdef")

    def test_stopped(self) -> None:
        """Of a body that nobody wants nothing is held or delivered."""
        done = self.body.startProducing(self.consumer)
        self.body.pauseProducing()
        self.body.arrived(b"ab")
        self.body.stopProducing()
        self.body.stopProducing()
        self.body.arrived(b"cd")
        self.body.ended(())
        self.body.resumeProducing()
        self.assertEqual((self.consumer.data, self.body._waiting), (b"", []))
        self.assertNoResult(done)

    def test_stopped_before_its_start(self) -> None:
        """A body that was stopped asks for nothing when it is started."""
        self.body.stopProducing()
        self.assertNoResult(self.body.startProducing(self.consumer))
        self.assertEqual(self.channel.wanted, 0)

    def test_cancelled(self) -> None:
        """Cancelling it stops it."""
        done = self.body.startProducing(self.consumer)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(self.body.stopped)
        self.body.fail(Failure(ClientLeft()))
