"""Tests for L{llmproxy.bench.processes}; the processes themselves are in C{tests.integration.test_benchmark}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.processes import share
from llmproxy.bench.values import LoadSpec

SPEC = LoadSpec("open", "h", 1, "", connections=10, requests=7, rate=1000.0, pids=(5,))


class ShareTests(SynchronousTestCase):
    def test_adds_up(self) -> None:
        """The processes together make the load that was asked for, and watch the gateway once."""
        parts = share(SPEC, 3)
        self.assertEqual([part.connections for part in parts], [4, 3, 3])
        self.assertEqual([part.requests for part in parts], [3, 2, 2])
        self.assertAlmostEqual(sum(part.rate for part in parts), 1000.0)
        self.assertEqual([part.pids for part in parts], [(5,), (), ()])

    def test_in_turn(self) -> None:
        """They do not send at the same moments."""
        self.assertEqual([part.phase for part in share(SPEC, 2)], [0.0, 0.001])

    def test_no_more_than_connections(self) -> None:
        """A process without a connection would do nothing."""
        self.assertEqual(len(share(SPEC, 64)), 10)
        self.assertEqual(share(SPEC, 1), [SPEC])
