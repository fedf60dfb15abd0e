"""Tests for L{llmproxy.middleware.readahead}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.core.budget import Budget
from llmproxy.errors import ClientLeft
from llmproxy.middleware.readahead import ReadAhead
from llmproxy.net.timers import TimerWheel

from ..tables import row
from .fakes import HeldBody, Reader


class Slow(Reader):
    """A reader that takes one chunk, and pauses the body that it reads."""

    def __init__(self, body: ReadAhead) -> None:
        super().__init__()
        self.body = body

    def write(self, data: bytes) -> None:
        super().write(data)
        self.body.pauseProducing()


class ReadAheadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = TimerWheel(self.clock)
        self.budget = Budget(100)
        self.held = HeldBody()
        self.ahead = self.of(self.held)

    def of(self, body: Any) -> ReadAhead:
        return ReadAhead(body, 10, self.budget.lease(), self.wheel, 5.0)

    def over(self) -> None:
        """Nothing is held, and no timer stands."""
        self.assertEqual((self.budget.used, self.wheel.standing), (0, 0))

    def test_whole(self) -> None:
        """What comes within the bounds is there in one piece."""
        verifyObject(IBodyProducer, self.ahead)
        reading = self.ahead.read()
        self.held.write(b"abc")
        self.held.write(b"def")
        self.assertNoResult(reading)
        self.assertEqual(self.budget.used, 6)
        self.held.end()
        self.assertEqual(self.successResultOf(reading), b"abcdef")
        self.over()
        self.assertEqual(self.successResultOf(self.of(BytesBody(b"at hand")).read()), b"at hand")

    def test_too_long(self) -> None:
        """What is longer goes on as it comes, in its order."""
        reading = self.ahead.read()
        self.held.write(b"0123456789")
        self.held.write(b"x")
        self.assertIsNone(self.successResultOf(reading))
        # What was on its way, while it was paused.
        self.held.write(b"y")
        reader = Reader()
        done = self.ahead.startProducing(reader)
        self.assertEqual((reader.data, self.held.calls), (b"0123456789xy", ["paused", "resumed"]))
        self.over()
        self.held.write(b"z")
        self.assertEqual(reader.data, b"0123456789xyz")
        self.held.end()
        self.successResultOf(done)

    def test_slow_reader(self) -> None:
        """A reader that pauses gets no more than it takes, and nothing is lost at the end."""
        reading = self.ahead.read()
        for _ in range(3):
            self.held.write(b"x" * 40_000)
        self.assertIsNone(self.successResultOf(reading))
        reader = Slow(self.ahead)
        done = self.ahead.startProducing(reader)
        self.assertEqual(len(reader.data), 40_000)
        self.held.end()
        for size in (80_000, 120_000):
            with row(size):
                self.assertNoResult(done)
            self.ahead.resumeProducing()
            self.assertEqual(len(reader.data), size, size)
        self.ahead.resumeProducing()
        self.successResultOf(done)
        self.over()

    def test_too_slow(self) -> None:
        """What does not come whole in time goes on too."""
        reading = self.ahead.read()
        self.held.write(b"abc")
        self.clock.pump([0.1] * 60)
        self.assertIsNone(self.successResultOf(reading))
        reader = Reader()
        done = self.ahead.startProducing(reader)
        self.held.write(b"def")
        self.ahead.pauseProducing()
        self.ahead.resumeProducing()
        self.held.end()
        self.successResultOf(done)
        self.assertEqual((reader.data, self.held.calls), (b"abcdef", ["paused", "resumed", "paused", "resumed"]))
        self.over()

    def test_no_room(self) -> None:
        """Nothing is held above what all may hold together."""
        self.budget.lease().take(98)
        reading = self.ahead.read()
        self.held.write(b"abc")
        self.assertIsNone(self.successResultOf(reading))
        reader = Reader()
        self.ahead.startProducing(reader)
        self.assertEqual(reader.data, b"abc")

    def test_left(self) -> None:
        """A client that leaves, or is not wanted any more, leaves nothing behind."""
        reading = self.ahead.read()
        self.held.write(b"abc")
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual(self.held.calls, ["stopped"])
        self.over()

    def test_failed(self) -> None:
        """A body that breaks off says so, while it is read ahead and afterwards."""
        reading = self.ahead.read()
        self.held.fail(ClientLeft())
        self.failureResultOf(reading, ClientLeft)
        self.over()
        for started in (False, True):
            held = HeldBody()
            ahead = self.of(held)
            reading = ahead.read()
            held.write(b"x" * 11)
            self.assertIsNone(self.successResultOf(reading), started)
            if not started:
                held.fail(ClientLeft())
            done = ahead.startProducing(Reader())
            if started:
                held.fail(ClientLeft())
            self.failureResultOf(done, ClientLeft)
            self.over()

    def test_stopped(self) -> None:
        """A reader that stops, or is cancelled, stops the body within."""
        for how in ("stop", "cancel"):
            held = HeldBody()
            ahead = self.of(held)
            ahead.read()
            held.write(b"x" * 11)
            done = ahead.startProducing(Slow(ahead))
            if how == "stop":
                ahead.stopProducing()
            else:
                done.cancel()
                self.failureResultOf(done, CancelledError)
            held.write(b"more")
            self.assertEqual(held.calls[-1], "stopped", how)
            self.over()
