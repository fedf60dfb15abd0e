"""A small run of L{tests.eventrun}: dispatchers, Redis and a receiver that are killed and paused."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ..eventrun.run import Scene, played, problems
from .redisserver import MISSING

SMALL = Scene(count=1500, rate=300, seed=3, mishaps=6, every=(0.2, 0.6), poisoned=4, deadly=1, garbage=2, within=60)


class EventRunTests(SynchronousTestCase):
    skip = MISSING

    def test_small(self) -> None:
        """Each event arrives at least once, as it was; those that nobody can take are dead letters, and no others."""
        outcome = played(SMALL, os.path.abspath(self.mktemp()))
        self.assertEqual(problems(SMALL, outcome), [])
        self.assertGreaterEqual(sum(outcome.mishaps.values()), SMALL.mishaps)
