"""Tests of L{llmproxy.core.limits.otherclock}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.otherclock import OtherClock


class OtherClockTests(SynchronousTestCase):
    def test_heard(self) -> None:
        """It goes by the last answer, and is late by the way of the question at most."""
        clock = OtherClock()
        self.assertIsNone(clock.at(5.0))
        for ahead in (-3000, 90_000):
            clock.heard(100.0, 100_020 + ahead)
            self.assertEqual(clock.at(200.0), 200_020 + ahead, ahead)
