"""Tests of L{llmproxy.limits.restored}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Part, Refusal, Reservation
from llmproxy.interfaces import ILimitStore
from llmproxy.limits.memory import MemoryLimits
from llmproxy.limits.restored import TRIES_AGAIN, RestoredLimits

REQUESTS = Rule("requests", "token:t", 100, "rpm_limit of t", "1m")
BUDGET = Rule("money", "token:t", 500, "max_budget of t", "1d")
CLOSED = evolve(BUDGET, on_store_failure="closed")


class RestoredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.asked: list[Deferred[int]] = []
        counts = MemoryLimits(self.clock.seconds, lambda _: None)
        self.store = RestoredLimits(counts, self.clock.seconds, self.spent)

    def spent(self, rule: Rule) -> Deferred[int]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def reserve(self, rule: Rule, amount: int) -> Any:
        return self.store.reserve([Part(rule, amount)])

    def test_interface(self) -> None:
        """It is a store of limits."""
        self.assertTrue(verifyObject(ILimitStore, self.store))

    def test_rates(self) -> None:
        """Rates need no ledger."""
        self.assertIsInstance(self.reserve(REQUESTS, 1), Reservation)
        self.assertEqual(self.asked, [])

    def test_rates_of_before(self) -> None:
        """A rate goes on where it was, for a minute from the start; requests wait until that is known."""
        counts = MemoryLimits(self.clock.seconds, lambda _: None)
        self.store = RestoredLimits(counts, self.clock.seconds, self.spent, self.spent)  # type: ignore[arg-type]
        now = self.clock.seconds()
        waiting = [self.reserve(REQUESTS, 10) for _ in range(20)]
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback([(now - 70, 500), (now - 50, 30), (now - 20, 20)])  # type: ignore[arg-type]
        outcomes = [self.successResultOf(each) for each in waiting]
        self.assertEqual(sum(isinstance(each, Reservation) for each in outcomes), 5)
        self.assertEqual(outcomes[-1].resets_in, 11.0)
        self.clock.advance(12)
        self.assertIsInstance(self.reserve(REQUESTS, 30), Reservation)
        self.assertIsInstance(self.reserve(REQUESTS, 1), Refusal)
        self.clock.advance(50)
        self.assertIsInstance(self.reserve(evolve(REQUESTS, scope="x"), 1), Reservation)
        self.assertEqual(len(self.asked), 1)

    def test_rates_not_known(self) -> None:
        """Where it cannot be known, C{closed} refuses as long as it matters; others begin with nothing."""
        counts = MemoryLimits(self.clock.seconds, lambda _: None)
        self.store = RestoredLimits(counts, self.clock.seconds, self.spent, self.spent)  # type: ignore[arg-type]
        closed = Rule("requests", "token:c", 100, "rpm_limit of c", "1m", "closed")
        waiting = [self.reserve(each, 1) for each in (REQUESTS, closed)]
        for each in self.asked:
            each.errback(ValueError("away"))
        outcomes = [self.successResultOf(each) for each in waiting]
        self.assertIsInstance(outcomes[0], Reservation)
        self.assertTrue(outcomes[1].unavailable)
        self.clock.advance(61)
        self.assertIsInstance(self.reserve(closed, 1), Reservation)

    def test_a_thousand_at_once(self) -> None:
        """All that meet a budget wait for one answer, and are let in as far as that leaves room."""
        waiting = [self.reserve(BUDGET, 10) for _ in range(1000)]
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback(400)
        outcomes = [self.successResultOf(each) for each in waiting]
        self.assertEqual(sum(isinstance(each, Reservation) for each in outcomes), 10)
        self.assertIsInstance(self.reserve(BUDGET, 10), Refusal)

    def test_once(self) -> None:
        """It is asked for once, and not for a window that begins later."""
        self.reserve(BUDGET, 10)
        self.asked[0].callback(490)
        self.assertIsInstance(self.reserve(BUDGET, 1), Refusal)
        self.clock.advance(86_400)
        self.assertIsInstance(self.reserve(BUDGET, 400), Reservation)
        self.assertEqual(len(self.asked), 1)

    def test_set_back(self) -> None:
        """A budget that was set back is another one."""
        self.reserve(BUDGET, 10)
        self.asked[0].callback(490)
        self.reserve(evolve(BUDGET, since=self.clock.seconds()), 10)
        self.assertEqual(len(self.asked), 2)

    def test_left(self) -> None:
        """Who asks what is left waits too."""
        left = self.store.left([BUDGET])
        self.asked[0].callback(100)
        self.assertEqual(self.successResultOf(left)[0].left, 400)

    def test_fails(self) -> None:
        """Where it cannot be known the budget begins with nothing, until it is known; then all of it counts, once."""
        waiting = self.reserve(BUDGET, 100)
        self.asked[0].errback(OSError("no database"))
        held = self.successResultOf(waiting)
        self.store.settle(held, [100])
        self.assertIsInstance(self.reserve(BUDGET, 1), Reservation)
        self.clock.advance(TRIES_AGAIN)
        waiting = self.reserve(BUDGET, 1)
        self.asked[1].callback(450)
        self.assertIsInstance(self.successResultOf(waiting), Reservation)
        self.assertIsInstance(self.reserve(BUDGET, 49), Refusal)

    def test_fails_closed(self) -> None:
        """Where a limit is to hold in any case, requests are refused meanwhile, and it is asked for again."""
        waiting = self.reserve(CLOSED, 100)
        self.asked[0].errback(OSError("no database"))
        outcomes = [self.successResultOf(waiting), self.reserve(CLOSED, 1)]
        self.assertEqual([each.unavailable for each in outcomes], [True, True])
        self.clock.advance(TRIES_AGAIN)
        waiting = self.reserve(CLOSED, 1)
        self.asked[1].callback(0)
        self.assertIsInstance(self.successResultOf(waiting), Reservation)
