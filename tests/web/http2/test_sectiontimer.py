"""Tests for L{llmproxy.web.http2.sectiontimer}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.timers import TimerWheel
from llmproxy.web.http2.sectiontimer import SectionTimer


class SectionTimerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.late: list[float] = []
        self.timer = SectionTimer(TimerWheel(self.clock), 10.0, lambda: self.late.append(self.clock.seconds()))

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))

    def test_late(self) -> None:
        """More frames of the same section do not give it more time, and it is late once."""
        for _ in range(30):
            self.timer.watch(True)
            self.wait(0.5)
            if self.late:
                break
        self.wait(30)
        self.assertEqual(len(self.late), 1)
        self.assertTrue(10.0 <= self.late[0] < 10.5, self.late)

    def test_in_time(self) -> None:
        """A section that ends, or whose connection does, leaves nothing on the wheel; the next one has its own time."""
        for end in (lambda: self.timer.watch(False), self.timer.stop):
            self.timer.watch(True)
            self.wait(9)
            end()
            self.wait(1)
            self.assertEqual((self.late, self.clock.getDelayedCalls()), ([], []), end)
        self.timer.watch(True)
        self.wait(9)
        self.assertEqual(self.late, [])
