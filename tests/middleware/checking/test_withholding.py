"""Tests for L{llmproxy.middleware.checking.withholding}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core.budget import Budget
from llmproxy.errors import ClientLeft, ContentTooLarge, RequestBodyTimeout, TooMuchWithheld
from llmproxy.middleware.checking.pace import WINDOW
from llmproxy.middleware.checking.withholding import SMALL, PiecesBody, Withholding, body_of
from llmproxy.net.timers import TimerWheel

from ..fakes import HeldBody, Reader


class WithholdingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = TimerWheel(self.clock)
        self.budget = Budget(100)

    def read(self, body: Any, limit: int = 50) -> Deferred[list[bytes]]:
        return Withholding(body, limit, self.budget.lease(), self.wheel, 2.0).read()

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def test_whole(self) -> None:
        """What came comes out, and no deadline is left behind."""
        body = HeldBody()
        reading = self.read(body)
        body.write(b"ab")
        body.write(b"c")
        body.end()
        self.assertEqual(self.successResultOf(reading), [b"abc"])
        self.assertEqual((self.budget.used, self.wheel.standing), (3, 0))
        self.assertEqual(self.successResultOf(self.read(BytesBody(b"x"))), [b"x"])

    def test_too_large(self) -> None:
        """A body above the limit is refused when that is known, unread where its length says so."""
        body = HeldBody(51)
        self.failureResultOf(self.read(body), ContentTooLarge)
        self.assertIsNone(body.consumer)
        body = HeldBody()
        reading = self.read(body)
        body.write(b"x" * 50)
        self.assertNoResult(reading)
        body.write(b"x")
        self.failureResultOf(reading, ContentTooLarge)
        self.assertEqual((body.calls, self.wheel.standing), (["stopped"], 0))

    def test_budget(self) -> None:
        """Above the budget of all bodies together the one that wants more is refused, and may try again."""
        bodies = [HeldBody() for _ in range(3)]
        readings = [self.read(body) for body in bodies]
        bodies[0].write(b"x" * 50)
        bodies[1].write(b"x" * 50)
        bodies[2].write(b"x")
        error = self.failureResultOf(readings[2], TooMuchWithheld).value
        self.assertEqual((error.status, error.fields), (503, ((b"Retry-After", b"1"),)))
        self.assertEqual((bodies[2].calls, self.budget.used), (["stopped"], 100))

    def test_trickle(self) -> None:
        """A body that comes too slowly is ended with 408; what comes fast enough may take its time."""
        body = HeldBody()
        reading = self.read(body)
        body.write(b"x" * 40)
        self.wait(WINDOW + 0.5)
        body.write(b"x")
        self.assertNoResult(reading)
        self.wait(WINDOW)
        error = self.failureResultOf(reading, RequestBodyTimeout).value
        self.assertEqual((error.status, body.calls, self.wheel.standing), (408, ["stopped"], 0))
        body = HeldBody()
        reading = self.read(body)
        for _ in range(20):
            body.write(b"xx")
            self.wait(1.0)
        self.assertNoResult(reading)
        reading.cancel()
        self.failureResultOf(reading, CancelledError)

    def test_left(self) -> None:
        """A client that leaves, or whose caller gives up, leaves nothing behind."""
        body = HeldBody()
        reading = self.read(body)
        body.write(b"x")
        body.fail(ClientLeft())
        self.failureResultOf(reading, ClientLeft)
        body = HeldBody()
        reading = self.read(body)
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual((body.calls, self.wheel.standing), (["cancelled"], 0))


class Slow(Reader):
    """A reader that pauses after each piece."""

    def __init__(self, body: PiecesBody) -> None:
        super().__init__()
        self.body = body
        self.pieces = 0

    def write(self, data: bytes) -> None:
        super().write(data)
        self.pieces += 1
        self.body.pauseProducing()


class BodyOfTests(SynchronousTestCase):
    content = bytes(range(256)) * 1024

    def test_small(self) -> None:
        """A small body goes on in one piece."""
        body = body_of([b"ab", b"c"])
        self.assertIsInstance(body, BytesBody)
        self.assertEqual(body.length, 3)

    def test_large(self) -> None:
        """A large one goes on as fast as its reader takes it, again if need be."""
        body: Any = body_of([self.content[:1000], self.content[1000:]])
        for _ in range(2):
            slow = Slow(body)
            producing = body.startProducing(slow)
            while not producing.called:
                body.resumeProducing()
            self.assertEqual((slow.data, body.length), (self.content, len(self.content)))
            self.assertEqual(slow.pieces, 1 + -(-(len(self.content) - 1000) // SMALL))

    def test_release(self) -> None:
        """It is let go of at once, or when the one who reads it has ended."""
        released: list[str] = []
        body: Any = body_of([self.content])
        body.release(lambda: released.append("at once"))
        body = body_of([self.content])
        slow = Slow(body)
        producing = body.startProducing(slow)
        body.release(lambda: released.append("later"))
        self.assertEqual(released, ["at once"])
        while not producing.called:
            body.resumeProducing()
        self.assertEqual((released, slow.data), (["at once", "later"], self.content))
        body = body_of([self.content])
        producing = body.startProducing(Slow(body))
        body.release(lambda: released.append("stopped"))
        body.stopProducing()
        body.resumeProducing()
        self.assertNoResult(producing)
        self.assertEqual(released[2:], ["stopped"])
