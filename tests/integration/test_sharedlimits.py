"""Limits that real processes share: exact with a thousand requests at once, and after one was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from time import time

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Part, Reservation
from llmproxy.limits.shared import shared_limits
from llmproxy.workers.limits import SharedLimitTable

WORKERS = 4

ASKS = """
import sys
from time import time
from tests.integration.test_sharedlimits import PARTS
from llmproxy.core.limits.verdicts import Reservation
from llmproxy.limits.shared import shared_limits

limits = shared_limits(int(sys.argv[1]), 4, int(sys.argv[2]), time, lambda _: None)
limits._lock.patience = 10
sys.stdin.readline()
admitted = sum(isinstance(limits.reserve(PARTS), Reservation) for _ in range(250))
print(admitted, limits.failures, flush=True)
sys.stdin.readline()
"""

REQUESTS = Rule("requests", "token:t", 100, "rpm_limit of t", "1m")
PARALLEL = Rule("parallel", "token:t", 1000, "max_parallel_requests of t")
BUDGET = Rule("money", "token:t", PICO, "max_budget of t", "1d")
PARTS = [Part(REQUESTS, 1), Part(PARALLEL, 1), Part(BUDGET, PICO // 100)]


class SharedLimitsTests(SynchronousTestCase):
    def test_a_thousand_at_once(self) -> None:
        """Four processes ask 250 times each, at once: a hundred are admitted; what a killed one held is free."""
        table = SharedLimitTable(WORKERS)
        self.addCleanup(table.close)
        fd = os.dup(table.fd)
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", ASKS, str(fd), str(column)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=[fd],
            )
            for column in range(WORKERS)
        ]
        try:
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write("go\n")
                worker.stdin.flush()
            said = [tuple(map(int, worker.stdout.readline().split())) for worker in workers if worker.stdout]
            self.assertEqual([sum(column) for column in zip(*said, strict=True)], [100, 0])
            workers[0].send_signal(signal.SIGKILL)
            workers[0].wait()
            table.clear(0)
            limits = shared_limits(fd, WORKERS, 0, time, lambda _: None)
            left = {each.rule.kind: each.used for each in self.successResultOf(limits.left([PARALLEL, BUDGET]))}
            self.assertEqual(left, {"parallel": 100 - said[0][0], "money": PICO})
            self.assertIsInstance(limits.reserve([Part(PARALLEL, said[0][0])]), Reservation)
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()
