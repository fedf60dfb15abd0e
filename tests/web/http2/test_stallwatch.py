"""Tests for L{llmproxy.web.http2.stallwatch}; L{tests.web.http2.test_connection} has it under a connection."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.timers import TimerWheel
from llmproxy.web.http1.sending import Outflow
from llmproxy.web.http2.stallwatch import StallWatch

SECONDS = 4.0


class FakeAnswer:
    def __init__(self, stalls: bool) -> None:
        self.stalls = stalls
        self.given_up = False

    def stalled(self) -> bool:
        return self.stalls

    def give_up(self) -> None:
        self.given_up = True


class FakeTransport:
    """@ivar unsent: what L{Outflow} sees, as Twisted's transports have it."""

    def __init__(self) -> None:
        self.dataBuffer = b"x" * 9
        self.offset = 0
        self._tempDataLen = 0


class FakeConnection:
    def __init__(self) -> None:
        self.congested = False
        self.streams = {1: FakeAnswer(stalls=True), 3: FakeAnswer(stalls=False)}
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1


class StallWatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = TimerWheel(self.clock)
        self.connection = FakeConnection()
        self.transport = FakeTransport()
        self.watch = StallWatch(self.wheel, SECONDS, self.connection, Outflow(self.transport))

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def test_one_answer(self) -> None:
        """An answer that stalls is given up, the others go on."""
        self.wait(SECONDS * 0.6)
        self.assertEqual([each.given_up for each in self.connection.streams.values()], [True, False])
        self.assertEqual(self.connection.aborted, 0)

    def test_all(self) -> None:
        """A client that takes nothing of what was written is cut off, after three looks that show the same."""
        self.connection.congested = True
        self.wait(SECONDS * 1.1)
        self.assertEqual(self.connection.aborted, 0)
        self.wait(SECONDS)
        self.assertGreater(self.connection.aborted, 0)

    def test_moving(self) -> None:
        """One that takes something between two looks is slow, and nothing else."""
        self.connection.congested = True
        for size in range(8, 0, -1):
            self.transport.dataBuffer = b"x" * size
            self.wait(SECONDS / 2)
        self.assertEqual(self.connection.aborted, 0)

    def test_stopped(self) -> None:
        """Nothing is left on the wheel, however often it is stopped."""
        self.watch.stop()
        self.watch.stop()
        self.assertEqual(self.wheel.standing, 0)
