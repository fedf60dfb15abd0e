"""A small run of L{tests.ledgerrun}: exchanges through a real proxy whose processes are killed."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ..ledgerrun.run import Scene, played

SMALL = Scene(count=800, seed=7, between=0.1, whole_of=4)


class LedgerRunTests(SynchronousTestCase):
    def test_small(self) -> None:
        """What clients and upstream saw is what the database says, once each, whatever was killed when."""
        directory = os.path.abspath(self.mktemp())
        outcome = played(SMALL, directory, f"sqlite:///{directory}/data/llmproxy.db")
        self.assertEqual((outcome.problems, outcome.left), ([], []))
        self.assertGreater(outcome.worker_kills + outcome.proxy_kills, 0)
        self.assertGreater(outcome.figures.complete, SMALL.count // 2)
