"""Tests for L{llmproxy.app.draindelay}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.draindelay import DrainDelay


class DrainDelayTests(SynchronousTestCase):
    def test_waits(self) -> None:
        """The ports stay open for so long."""
        clock = Clock()
        waiting = DrainDelay(clock, 5.0).wait()
        clock.advance(4.9)
        self.assertNoResult(waiting)
        clock.advance(0.2)
        self.successResultOf(waiting)

    def test_several(self) -> None:
        """All who wait for it wait for the same moment."""
        clock = Clock()
        delay = DrainDelay(clock, 5.0)
        first = delay.wait()
        clock.advance(3.0)
        second = delay.wait()
        clock.advance(2.0)
        for each in (first, second, delay.wait()):
            self.successResultOf(each)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_none(self) -> None:
        """Without a delay nothing waits."""
        self.successResultOf(DrainDelay(Clock(), 0.0).wait())

    def test_ended(self) -> None:
        """Who is in a hurry waits no longer, before it began or while it runs, and no timer is left."""
        clock = Clock()
        delay = DrainDelay(clock, 5.0)
        waiting = delay.wait()
        delay.end()
        self.successResultOf(waiting)
        delay.end()
        self.successResultOf(delay.wait())
        self.assertEqual(clock.getDelayedCalls(), [])
