"""Tests for L{llmproxy.web.pullproducer}."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.web.pullproducer import PullAdapter


class Reactor(Clock):
    """Turns one call at a time: who asks for another turn in each would never let L{Clock} come to an end."""

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            if self.calls:
                call = self.calls.pop(0)
                call.called = 1
                call.func(*call.args, **call.kw)


class Pulled:
    """A pull producer with something to give each time."""

    def __init__(self) -> None:
        self.asked = self.stopped = 0

    def resumeProducing(self) -> None:
        self.asked += 1

    def stopProducing(self) -> None:
        self.stopped += 1


class PullAdapterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Reactor()
        self.pulled = Pulled()
        self.pulling = PullAdapter(self.clock, self.pulled)
        self.turn = self.clock.turn

    def test_interface(self) -> None:
        """A consumer that only pauses and resumes can work with it."""
        verifyObject(IPushProducer, self.pulling)

    def test_each_turn(self) -> None:
        """It is asked once a turn of the reactor, so that others have theirs."""
        self.assertEqual(self.pulled.asked, 0)
        self.turn(3)
        self.assertEqual(self.pulled.asked, 3)

    def test_paused(self) -> None:
        """While the consumer has enough nothing is asked for."""
        self.pulling.pauseProducing()
        self.turn(3)
        self.assertEqual((self.pulled.asked, self.clock.getDelayedCalls()), (0, []))
        self.pulling.resumeProducing()
        self.pulling.resumeProducing()
        self.turn()
        self.assertEqual(self.pulled.asked, 1)

    def test_released(self) -> None:
        """Who has given all is asked no more, and leaves no timer."""
        self.pulling.release()
        self.pulling.resumeProducing()
        self.turn(2)
        self.assertEqual((self.pulled.asked, self.pulled.stopped, self.clock.getDelayedCalls()), (0, 0, []))

    def test_stopped(self) -> None:
        """A client that leaves stops it."""
        self.pulling.stopProducing()
        self.turn(2)
        self.assertEqual((self.pulled.asked, self.pulled.stopped), (0, 1))
