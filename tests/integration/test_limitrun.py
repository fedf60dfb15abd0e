"""A small run of L{tests.limitrun}: two proxies on one Redis, whose processes are killed."""

from __future__ import annotations

import os
from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from ..limitrun.run import Scene, played, problems
from .redisserver import MISSING

SMALL = Scene(count=700, budget=Decimal(4), seed=5, workers=1, between=0.1, whole_of=1, places=False)


class LimitRunTests(SynchronousTestCase):
    skip = MISSING

    def test_small(self) -> None:
        """Of a thousand at once a hundred are admitted; a budget is not passed, whatever was killed when."""
        outcome = played(SMALL, os.path.abspath(self.mktemp()))
        self.assertEqual(problems(SMALL, outcome), [])
        self.assertGreater(outcome.kills, 0)
