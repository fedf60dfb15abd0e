"""Tests of L{llmproxy.limits.shared}; those of several processes are in C{tests.integration.test_sharedlimits}."""

from __future__ import annotations

import os
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.presence import shared_memory
from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Crossed, Part, Refusal, Reservation
from llmproxy.errors import Unavailable
from llmproxy.limits.shared import SharedLimits, shared_limits
from llmproxy.limits.sharedtable import size_of

from ..tables import row

REQUESTS = Rule("requests", "token:t", 3, "rpm_limit of t", "1m")
PARALLEL = Rule("parallel", "token:t", 1, "max_parallel_requests of t")
BUDGET = Rule("money", "token:t", 500_000, "max_budget of t", "1d")


class Stuck:
    """
    A lock that another process may have.

    @ivar away: it has.
    """

    away = False

    def take(self) -> bool:
        return not self.away

    def give(self) -> None:
        """Nobody waits for it."""


class SharedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.warned: list[Crossed] = []
        self.file = shared_memory(size_of(2))
        self.addCleanup(self.file.close)
        self.workers = [self.worker(column) for column in (0, 1)]

    def worker(self, column: int) -> SharedLimits:
        return shared_limits(self.file.fileno(), 2, column, self.clock.seconds, self.warned.append)

    def reserve(self, worker: int, *rules: Rule) -> Any:
        return self.workers[worker].reserve([Part(rule, 1) for rule in rules])

    def stick(self) -> Stuck:
        stuck = Stuck()
        for worker in self.workers:
            worker._lock = stuck  # type: ignore[assignment]
        return stuck

    def test_together(self) -> None:
        """What one takes another one does not have."""
        held = [self.reserve(number % 2, REQUESTS) for number in range(3)]
        self.assertIsInstance(self.reserve(1, REQUESTS), Refusal)
        self.workers[0].give_back(held[0])
        self.assertIsInstance(self.reserve(1, REQUESTS), Reservation)

    def test_lock_is_given(self) -> None:
        """A process may take the lock that another one has given."""
        self.reserve(0, REQUESTS)
        child = os.fork()
        if not child:
            os._exit(0 if self.workers[1]._lock.take() else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_budget(self) -> None:
        """It begins once for all, and warnings come from who passes a share."""
        self.workers[0].begin(BUDGET, 100_000)
        self.assertTrue(self.workers[1].has_begun(BUDGET))
        held = self.workers[1].reserve([Part(BUDGET, 100_000)])
        assert isinstance(held, Reservation)
        self.workers[1].settle(held, [200_000])
        self.assertEqual([each.share for each in self.warned], [50])
        (left,) = self.successResultOf(self.workers[0].left([BUDGET]))
        self.assertEqual(left.left, 200_000)

    def test_without_lock(self) -> None:
        """Where the table cannot be had, each limit holds as it says, and what ends meanwhile is settled later."""
        held = self.reserve(0, PARALLEL)
        stuck = self.stick()
        stuck.away = True
        self.workers[0].settle(held, [None])
        rows = (("closed", [True]), ("open", [False] * 4), ("local", [False] * 3 + [True]))
        for how, expected in rows:
            rule = evolve(REQUESTS, on_store_failure=how, scope=how)
            outcomes = [self.reserve(0, rule) for _ in expected]
            self.assertEqual([isinstance(each, Refusal) for each in outcomes], expected, how)
            for each in outcomes:
                if isinstance(each, Reservation):
                    self.workers[0].settle(each, [None for _ in each.parts])
        self.failureResultOf(self.workers[0].left([REQUESTS]), Unavailable)
        stuck.away = False
        self.assertIsInstance(self.reserve(0, REQUESTS), Reservation)
        self.assertIsInstance(self.reserve(1, PARALLEL), Reservation)

    def test_another_store_decides(self) -> None:
        """Where the table only helps one that machines share, it refuses nothing because it cannot be had."""
        stuck = self.stick()
        self.workers[0].decides = False
        for away in (True, False):
            with row(f"away {away}"):
                stuck.away = away
                rules = [evolve(PARALLEL, scope=f"{away}:{how}", on_store_failure=how) for how in ("closed", "open")]
                parts = [Part(rule, rule.limit + 1) for rule in rules]
                held = self.workers[0].reserve(parts, "r1", [])
                assert isinstance(held, Reservation)
                self.assertEqual((held.id, held.parts), ("r1", tuple(parts)))
                self.assertIsInstance(self.workers[0].reserve(parts, "r2", parts[:1]), Refusal)
                self.workers[0].give_back(held)
                self.assertIsInstance(self.workers[0].reserve([Part(rules[0], 1)], "r3"), Reservation)
        self.assertEqual(self.workers[0].failures, 0)
