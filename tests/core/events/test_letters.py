"""Tests for L{llmproxy.core.events.letters}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.letters import letter_time


class TimeTests(SynchronousTestCase):
    def test_order(self) -> None:
        """The texts of times sort as the times do, with a fraction of a second or without."""
        times = [1_800_000_000.0, 1_800_000_000.25, 1_800_000_000.5, 1_800_000_001.0, 1_900_000_000.0]
        texts = list(map(letter_time, times))
        self.assertEqual(texts, sorted(texts))
        self.assertEqual(texts[0], "2027-01-15T08:00:00+00:00")
