"""Tests for L{llmproxy.sinks.lag}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.lag import ReactorLag


class ReactorLagTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lag = ReactorLag(self.clock, 0.5)
        self.lag.start()

    def test_in_time(self) -> None:
        """A reactor that has time shows no lag."""
        self.clock.pump([0.5] * 4)
        self.assertEqual(self.lag.latest, 0)

    def test_late(self) -> None:
        """A reactor that was busy shows for how long, until somebody has been told."""
        self.clock.advance(0.8)
        self.assertAlmostEqual(self.lag.latest, 0.3)
        self.clock.pump([0.5] * 4)
        self.assertAlmostEqual(self.lag.take_worst(), 0.3)
        self.assertAlmostEqual(self.lag.take_worst(), 0)

    def test_stop(self) -> None:
        """It leaves no timer behind."""
        self.lag.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
