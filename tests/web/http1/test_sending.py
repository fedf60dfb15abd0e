"""Tests for L{llmproxy.web.http1.sending}, on transports without their sockets."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.timers import TimerWheel
from llmproxy.web.http1.sending import Outflow, SendDeadline, unsent


class UnsentTests(SynchronousTestCase):
    def test_waiting(self) -> None:
        """What waits in Twisted's buffers counts, below TLS too; a socket that cannot tell counts as empty."""

        class Plain:
            dataBuffer = b"abcdef"
            offset = 2
            _tempDataLen = 3

            def getHandle(self) -> Any:
                raise OSError

        class Above(Plain):
            dataBuffer = b""
            transport = Plain()
            _appSendBuffer = (b"xy",)

        self.assertEqual((unsent(Plain()), unsent(Above())), (7, 9))


class OutflowTests(SynchronousTestCase):
    def test_moving(self) -> None:
        """A peer takes something if there is less or more than before, and something is left that it could take."""

        class Slow:
            dataBuffer = b""
            offset = _tempDataLen = 0

            def getHandle(self) -> Any:
                raise OSError

        transport = Slow()
        outflow = Outflow(transport)
        seen = []
        for size in (0, 5, 5, 3, 3, 0, 0, 4):
            transport.dataBuffer = b"x" * size
            seen.append(outflow.is_moving())
        self.assertEqual(seen, [False, True, False, True, False, False, False, True])
        outflow.note()
        self.assertFalse(outflow.is_moving())


class SendDeadlineTests(SynchronousTestCase):
    """Looked at each 60 seconds."""

    def setUp(self) -> None:
        class Slow:
            dataBuffer = b"x" * 9
            offset = _tempDataLen = 0
            aborted = 0

            def getHandle(self) -> Any:
                raise OSError

            def abortConnection(self) -> None:
                self.aborted += 1

        self.clock = Clock()
        self.wheel = TimerWheel(self.clock)
        self.transport = Slow()
        self.deadline = SendDeadline(self.wheel, 60.0, self.transport)

    def after(self, seconds: float) -> int:
        self.clock.pump([1.0] * int(seconds))
        return self.transport.aborted

    def test_takes_nothing(self) -> None:
        """A peer that takes nothing is reset, once, however often it was said that it has to."""
        self.deadline.start()
        self.assertEqual(self.after(40), 0)
        self.deadline.start()
        self.assertEqual((self.after(22), self.after(200), self.wheel.standing), (1, 1, 0))

    def test_slow(self) -> None:
        """One that takes a byte in each span is not; once it takes no more, it is."""
        self.deadline.start()
        for size in range(8, 0, -1):
            self.transport.dataBuffer = b"x" * size
            self.assertEqual(self.after(60), 0, size)
        self.assertEqual(self.after(122), 1)

    def test_stop(self) -> None:
        """Nothing is left behind by one that is stopped, or was never started."""
        self.deadline.stop()
        self.deadline.start()
        self.deadline.stop()
        self.assertEqual((self.wheel.standing, self.after(200)), (0, 0))
