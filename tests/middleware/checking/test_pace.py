"""Tests for L{llmproxy.middleware.checking.pace}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.middleware.checking.pace import WINDOW, Pace
from llmproxy.net.timers import TimerWheel


class PaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = TimerWheel(self.clock)
        self.come = self.late = 0
        self.pace = Pace(self.wheel, 2.0, lambda: self.come, self.is_late)

    def is_late(self) -> None:
        self.late += 1

    def window(self) -> None:
        for _ in range(round(WINDOW * 10) + 2):
            self.clock.advance(0.1)

    def test_each_window(self) -> None:
        """What came at first does not allow for a pause afterwards: each window needs its own."""
        self.pace.start()
        self.come = 1_000_000
        self.window()
        self.come += 20
        self.window()
        self.assertEqual(self.late, 0)
        self.come += 19
        self.window()
        self.assertEqual((self.late, self.wheel.standing), (1, 0))

    def test_not_waited_for(self) -> None:
        """While nobody waits for it, nothing is late, nor in the window in which that began or ended."""
        held: list[int | None] = [None, 5, None, 5, 5]
        pace = Pace(self.wheel, 2.0, lambda: held[0], self.is_late)
        pace.start()
        for lates in (0, 0, 0, 1):
            held.pop(0)
            self.window()
            self.assertEqual(self.late, lates, lates)

    def test_end(self) -> None:
        """When the whole is there, or nobody waits any more, no deadline is left."""
        self.pace.start()
        self.pace.start()
        self.assertEqual(self.wheel.standing, 1)
        self.pace.end()
        self.pace.end()
        self.assertEqual(self.wheel.standing, 0)
        self.window()
        self.assertEqual(self.late, 0)
