"""Tests of L{llmproxy.limits.memory}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Crossed, Part, Refusal, Reservation
from llmproxy.interfaces import ILimitStore
from llmproxy.limits.memory import MemoryLimits

REQUESTS = Rule("requests", "token:t", 100, "rpm_limit of t", "1m")
BUDGET = Rule("money", "token:t", 500, "max_budget of t", "1d")


class MemoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.warned: list[Crossed] = []
        self.store = MemoryLimits(self.clock.seconds, self.warned.append, most=8)

    def test_interface(self) -> None:
        """It is a store of limits."""
        self.assertTrue(verifyObject(ILimitStore, self.store))

    def test_a_thousand_at_once(self) -> None:
        """A hundred of them fit, whatever became of those; those that were not sent do not count."""
        outcomes = [self.store.reserve([Part(REQUESTS, 1)]) for _ in range(1000)]
        held = [each for each in outcomes if isinstance(each, Reservation)]
        self.assertEqual(len(held), 100)
        self.store.give_back(held[0])
        outcomes = [self.store.reserve([Part(REQUESTS, 1)]) for _ in range(10)]
        self.assertEqual(sum(isinstance(each, Reservation) for each in outcomes), 1)

    def test_warns(self) -> None:
        """A share of a budget that is passed is passed on, once."""
        for _ in range(3):
            held = self.store.reserve([Part(BUDGET, 100)])
            assert isinstance(held, Reservation)
            self.store.settle(held, [130])
        self.assertEqual([each.share for each in self.warned], [50])

    def test_left(self) -> None:
        """What is left of each limit, in their order."""
        self.store.reserve([Part(BUDGET, 100), Part(REQUESTS, 1)])
        left = self.successResultOf(self.store.left([REQUESTS, BUDGET]))
        self.assertEqual([(each.rule, each.left) for each in left], [(REQUESTS, 99), (BUDGET, 400)])

    def test_forgets(self) -> None:
        """What counts for nothing any more is forgotten in time."""
        for number in range(5):
            self.store.reserve([Part(evolve(REQUESTS, scope=f"address:{number}"), 1)])
        self.clock.advance(200)
        self.store.reserve([Part(REQUESTS, 1)])
        self.assertEqual(len(self.store.counters), 1)

    def test_bounded(self) -> None:
        """However many there are, what is used least goes first, and a limit that is used up stays so."""
        spent = evolve(REQUESTS, scope="address:greedy", limit=50)
        for _ in range(50):
            self.store.reserve([Part(spent, 1)])
        sizes = []
        for number in range(100):
            self.clock.advance(0.5)
            self.store.reserve([Part(evolve(REQUESTS, scope=f"address:{number}"), 1)])
            sizes.append(len(self.store.counters))
        self.assertLessEqual(max(sizes), 12)
        self.clock.pump([])
        self.assertIsInstance(self.store.reserve([Part(spent, 1)]), Refusal)
