"""Tests for L{llmproxy.core.lograte}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.lograte import LogRate


class LogRateTests(SynchronousTestCase):
    def test_one_an_interval(self) -> None:
        """A thousand events are one line, and the next one says how many they were."""
        rate = LogRate(30.0)
        self.assertEqual(rate.due("a", 100.0), 1)
        self.assertEqual({rate.due("a", 129.9) for _ in range(999)}, {None})
        self.assertEqual(rate.due("a", 130.0), 1000)
        self.assertEqual(rate.due("a", 160.0), 1)

    def test_at_once(self) -> None:
        """The first event has its line though the clock has hardly begun."""
        self.assertEqual(LogRate(30.0).due("a", 0.0), 1)

    def test_kinds(self) -> None:
        """What one kind has said keeps no other one silent."""
        rate = LogRate(30.0)
        self.assertEqual([rate.due(kind, 0.0) for kind in ("a", "b", "a")], [1, 1, None])

    def test_bounded(self) -> None:
        """Of more kinds than it holds, the one that was spoken of longest ago is forgotten."""
        rate = LogRate(30.0, most_kinds=2)
        for kind in ("a", "b", "c"):
            rate.due(kind, 0.0)
        self.assertEqual([rate.due(kind, 1.0) for kind in ("c", "b", "a")], [None, None, 1])
