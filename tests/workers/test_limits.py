"""Tests of L{llmproxy.workers.limits}."""

from __future__ import annotations

import os
from time import time

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Part, Refusal, Reservation
from llmproxy.limits.shared import shared_limits
from llmproxy.workers.limits import SharedLimitTable

PARALLEL = Rule("parallel", "token:t", 1, "max_parallel_requests of t")


class SharedLimitTableTests(SynchronousTestCase):
    def test_clear(self) -> None:
        """What a worker held that is gone, the others have."""
        table = SharedLimitTable(2)
        workers = [shared_limits(os.dup(table.fd), 2, column, time, lambda _: None) for column in (0, 1)]
        self.assertIsInstance(workers[0].reserve([Part(PARALLEL, 1)]), Reservation)
        self.assertIsInstance(workers[1].reserve([Part(PARALLEL, 1)]), Refusal)
        table.clear(0)
        self.assertIsInstance(workers[1].reserve([Part(PARALLEL, 1)]), Reservation)
        table.close()
        table.close()
