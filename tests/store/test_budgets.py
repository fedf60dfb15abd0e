"""Tests of L{llmproxy.store.budgets}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from sqlalchemy import select
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.leasing import NANO, Answer, Ask, Standing
from llmproxy.store.budgets import DAY, BudgetLeases
from llmproxy.store.schema import budget_leases, budgets

from .databases import NOW, clock_at, opened

A, B = "a" * 32, "b" * 32
ASK = Ask(1, 1, "money:token:t:1d", NOW - 100, NOW + 100, 0, 0, 1000)


class BudgetLeasesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.one = BudgetLeases(self.clock, self.database, A)
        self.other = BudgetLeases(self.clock, self.database, B)

    def say(self, leases: BudgetLeases, ask: Ask) -> Answer | None:
        [answer] = self.successResultOf(leases.say([ask]))
        return answer

    def begin(self, spent: int = 0, ask: Ask = ASK) -> None:
        self.successResultOf(self.one.begin(evolve(ask, turn=0, serial=9), spent * NANO))

    def standing(self) -> Standing | None:
        [found] = self.successResultOf(self.one.standing([(ASK.key, ASK.begins_at)]))
        return found

    def test_begins_once(self) -> None:
        """With what was spent before, whoever is first; until then nothing is leased."""
        self.assertEqual((self.say(self.one, evolve(ASK, wanted=5, least=5)), self.standing()), (None, None))
        self.begin(300)
        self.begin(7)
        self.assertEqual(self.standing(), Standing(300, 0))

    def test_many(self) -> None:
        """How many stand, in the order of the question, also of one that begins between two moments."""
        for at in range(450):
            if at % 3:
                self.begin(at, evolve(ASK, key=f"k{at}", begins_at=NOW + at + 0.123456789))
        wanted = [(f"k{at}", NOW + at + 0.123456789) for at in reversed(range(450))]
        found = self.successResultOf(self.one.standing(wanted))
        self.assertEqual(found, [Standing(at, 0) if at % 3 else None for at in reversed(range(450))])
        self.assertEqual(self.successResultOf(self.one.standing([])), [])

    def test_leased(self) -> None:
        """Together no more than there is; what was spent and is handed back is there for others."""
        self.begin(100)
        one, other = evolve(ASK, wanted=600, least=10), evolve(ASK, wanted=600, least=10)
        self.assertEqual(self.say(self.one, one), Answer(100, 600, 600, 100))
        self.assertEqual(self.say(self.other, other), Answer(100, 900, 300, 100))
        self.assertEqual(self.say(self.other, evolve(other, turn=2, holds=300)), Answer(100, 900, 0, 100))
        self.assertEqual(self.say(self.one, evolve(ASK, turn=2, total=50)), Answer(150, 300, 0, 100))
        self.assertEqual(self.standing(), Standing(150, 300))

    def test_beyond(self) -> None:
        """What runs, and what was spent, counts also where there is no room for it."""
        self.begin(990)
        self.assertEqual(self.say(self.one, evolve(ASK, holds=50, total=20)), Answer(1010, 50, 0, 990))
        self.assertEqual(self.say(self.other, evolve(ASK, wanted=1, least=1)), Answer(1010, 50, 0, 1010))

    def test_said_again(self) -> None:
        """The same a second time, and what comes late, changes nothing; a lease that nobody heard of is given up."""
        self.begin()
        first = evolve(ASK, wanted=100, least=1, total=3)
        self.assertEqual(self.say(self.one, first), Answer(3, 100, 100, 0))
        self.assertEqual(self.say(self.one, first), Answer(3, 100, 0, 3))
        self.assertEqual(self.say(self.one, evolve(ASK, turn=3, total=5)), Answer(5, 0, 0, 3))
        self.assertEqual(self.say(self.one, evolve(ASK, turn=2, holds=9, total=4)), Answer(5, 0, 0, 5))
        self.assertEqual(self.standing(), Standing(5, 0))

    def test_warned_once(self) -> None:
        """Of all that say what was spent, each amount is looked at by one."""
        self.begin(10)
        found = [self.say(self.one, evolve(ASK, total=400)), self.say(self.other, evolve(ASK, total=200))]
        self.assertEqual([(each.warned, each.spent) for each in found if each is not None], [(10, 410), (410, 610)])

    def test_reclaimed(self) -> None:
        """Of a dead process what it had not reserved is free, the rest is spent; twice is as once."""
        self.begin()
        self.say(self.one, evolve(ASK, wanted=400, least=1, total=5))
        found = [self.successResultOf(self.other.reclaim(A, {1: 300 * NANO + 5, 9: 7})) for _ in range(2)]
        self.assertEqual(found, [300 * NANO, None])
        self.assertEqual(self.standing(), Standing(105, 0))

    def test_reclaimed_without_a_note(self) -> None:
        """Where nothing was noted all of it counts as spent; never is more handed back than was leased."""
        self.begin()
        self.say(self.one, evolve(ASK, wanted=400, least=1))
        self.say(self.other, evolve(ASK, wanted=100, least=1))
        self.assertEqual(self.successResultOf(self.other.reclaim(A, {})), 0)
        self.assertEqual(self.successResultOf(self.one.reclaim(B, {1: 10**15})), 100 * NANO)
        self.assertEqual(self.standing(), Standing(400, 0))

    def test_forgotten(self) -> None:
        """Windows that have ended, budgets that nobody met for long, and leases of nothing."""
        total = evolve(ASK, key="money:all:total", begins_at=0.0, ends_at=None, serial=2)
        self.begin()
        self.begin(ask=total)
        self.say(self.one, evolve(ASK, wanted=4, least=1))
        self.say(self.one, evolve(total, total=4))
        counted = []
        for days in (0, 2, 1, 88):
            self.clock.advance(days * DAY)
            self.successResultOf(self.one.forget())
            counted.append([len(self.rows(table)) for table in (budgets, budget_leases)])
        self.assertEqual(counted, [[2, 2], [1, 1], [1, 0], [0, 0]])

    def rows(self, table: Any) -> list[Any]:
        return self.successResultOf(self.database.read(lambda connection: list(connection.execute(select(table)))))
