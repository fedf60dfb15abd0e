"""Tests for L{llmproxy.core.latency}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.latency import EACH, PARTS, Latency, Sampled, latency_of, parts_of

SECOND = 1_000_000
HOUR = 3600 * SECOND


class PartsTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """The parts are the span, without a gap, however long it is; nothing has none."""
        for since, until in ((0, HOUR), (7, 7 + 5 * SECOND), (1, 12_345_678_901_234), (5, 6), (0, SECOND)):
            parts = parts_of(since, until)
            self.assertEqual((parts[0][0], parts[-1][1]), (since, until), (since, until))
            self.assertEqual([end for _, end in parts[:-1]], [begin for begin, _ in parts[1:]], (since, until))
            self.assertLessEqual(len(parts), PARTS, (since, until))
        self.assertEqual(parts_of(7, 7), [])


class LatencyTests(SynchronousTestCase):
    def test_none(self) -> None:
        """Of nothing nothing is known."""
        self.assertEqual(latency_of([]), Latency())
        self.assertEqual(latency_of([((0, HOUR), [])]), Latency())

    def test_all(self) -> None:
        """Where all are looked at each counts once; streams alone have a first token."""
        sample = [Sampled(at, at * SECOND, SECOND if at > 60 else None) for at in range(1, 81)]
        self.assertEqual(latency_of([((0, HOUR), sample)]), Latency(40.0, 76.0, 1.0, 1.0, 80))
        self.assertEqual(latency_of([((0, HOUR), [Sampled(1, 3 * SECOND)])]), Latency(3.0, 3.0, None, None, 1))

    def test_weights(self) -> None:
        """
        Exchanges of a busy part stand for more: here of a million in an hour with a second each, and of a hundred in
        another with ten seconds each.
        """
        busy = [Sampled(HOUR - at * HOUR // 1_000_000, SECOND) for at in range(EACH)]
        idle = [Sampled(HOUR + at * HOUR // EACH + 1, 10 * SECOND) for at in range(EACH)]
        found = latency_of([((0, HOUR), busy), ((HOUR, 2 * HOUR), idle)])
        self.assertEqual((found.p50, found.p95, found.sampled), (1.0, 1.0, 2 * EACH))
        found = latency_of([((0, HOUR), idle[:50]), ((HOUR, 2 * HOUR), idle)])
        self.assertEqual(found.p50, 10.0)
