"""Tests for L{llmproxy.net.trimming}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.timers import TimerWheel
from llmproxy.net.trimming import LEAST, Trimming, malloc_trim


class TrimmingTests(SynchronousTestCase):
    def test_once(self) -> None:
        """What is freed in a burst is given back once, soon after; a little is not worth it."""
        clock, trims = Clock(), [0]
        wheel = TimerWheel(clock)

        def trim() -> None:
            trims[0] += 1

        trimming = Trimming(wheel, trim)
        trimming.freed(LEAST - 1)
        self.assertEqual(wheel.standing, 0)
        for _ in range(5):
            trimming.freed(LEAST)
        self.assertEqual(trims, [0])
        for _ in range(5):
            clock.advance(0.1)
        self.assertEqual((trims, wheel.standing), ([1], 0))
        trimming.freed(LEAST)
        for _ in range(5):
            clock.advance(0.1)
        self.assertEqual(trims, [2])

    def test_real(self) -> None:
        """The real one can be called anywhere."""
        malloc_trim()
