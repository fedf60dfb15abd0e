"""Tests for L{llmproxy.core.backoff}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.backoff import delay


class DelayTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Waiting doubles, and is bounded however long something fails."""
        for failures, expected in (
            (0, 0.0),
            (1, 0.1),
            (2, 0.2),
            (3, 0.4),
            (8, 12.8),
            (9, 25.6),
            (10, 30.0),
            (10**6, 30.0),
        ):
            self.assertAlmostEqual(delay(failures), expected)
