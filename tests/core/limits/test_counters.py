"""Tests of L{llmproxy.core.limits.counters}."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.counters import Counters
from llmproxy.core.limits.values import Kind, Rule
from llmproxy.core.limits.verdicts import Part, Refusal, Reservation

NOON = 1_700_000_000.0
"""A moment within a day of UTC, 22:13:20."""

REQUESTS = Rule("requests", "token:t", 100, "rpm_limit of t", "1m")
TOKENS = Rule("tokens", "token:t", 1000, "tpm_limit of t", "1m")
PARALLEL = Rule("parallel", "token:t", 2, "max_parallel_requests of t")
BUDGET = Rule("money", "token:t", 500, "max_budget of t", "1d")


def reserved(outcome: Reservation | Refusal) -> Reservation:
    assert isinstance(outcome, Reservation), outcome
    return outcome


def refused(outcome: Reservation | Refusal) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    return outcome


class RateTests(SynchronousTestCase):
    def test_a_thousand_at_once(self) -> None:
        """Of a thousand requests a hundred are admitted, and another hundred a minute later."""
        counters = Counters()
        for at in (NOON, NOON + 61):
            outcomes = [counters.reserve([Part(REQUESTS, 1)], at) for _ in range(1000)]
            last = refused(outcomes[-1])
            found = (sum(isinstance(each, Reservation) for each in outcomes), last.left, last.resets_in)
            self.assertEqual(found, (100, 0, 61.0), at)

    def test_all_or_nothing(self) -> None:
        """What one limit refuses is taken of none."""
        counters = Counters()
        for _ in range(5):
            refused(counters.reserve([Part(REQUESTS, 1), Part(TOKENS, 1001)], NOON))
        self.assertEqual(counters.left(REQUESTS, NOON).used, 0)

    def test_which(self) -> None:
        """The refusal names the limit that takes longest."""
        counters = Counters()
        reserved(counters.reserve([Part(REQUESTS, 100), Part(PARALLEL, 2)], NOON))
        outcome = refused(counters.reserve([Part(PARALLEL, 1), Part(REQUESTS, 1)], NOON))
        self.assertIs(outcome.rule, REQUESTS)
        never = refused(counters.reserve([Part(REQUESTS, 1), Part(TOKENS, 5000)], NOON))
        self.assertEqual((never.rule, never.resets_in), (TOKENS, None))

    def test_settle(self) -> None:
        """Tokens are known in the end: what was too much is there again."""
        counters = Counters()
        held = reserved(counters.reserve([Part(TOKENS, 900)], NOON))
        refused(counters.reserve([Part(TOKENS, 200)], NOON))
        counters.settle(held, [150], NOON + 3)
        self.assertEqual(counters.left(TOKENS, NOON + 3).left, 850)

    def test_not_known(self) -> None:
        """What was used and nobody said it was as much as was reserved."""
        counters = Counters()
        held = reserved(counters.reserve([Part(TOKENS, 900), Part(BUDGET, 40)], NOON))
        counters.settle(held, [None, None], NOON + 3)
        self.assertEqual([counters.left(each, NOON + 3).used for each in (TOKENS, BUDGET)], [900, 40])

    def test_give_back(self) -> None:
        """What was not sent has used nothing of anything."""
        counters = Counters()
        rules = (REQUESTS, TOKENS, PARALLEL, BUDGET)
        counters.give_back(reserved(counters.reserve([Part(each, 2) for each in rules], NOON)), NOON + 1)
        self.assertEqual([counters.left(each, NOON + 1).used for each in rules], [0, 0, 0, 0])


class ParallelTests(SynchronousTestCase):
    def test_places(self) -> None:
        counters = Counters()
        first, _ = (reserved(counters.reserve([Part(PARALLEL, 1)], NOON)) for _ in range(2))
        self.assertEqual(refused(counters.reserve([Part(PARALLEL, 1)], NOON)).left, 0)
        counters.settle(first, [None], NOON + 900)
        reserved(counters.reserve([Part(PARALLEL, 1)], NOON + 900))

    def test_nothing_stays(self) -> None:
        counters = Counters()
        counters.settle(reserved(counters.reserve([Part(PARALLEL, 1)], NOON)), [None], NOON)
        reserved(counters.reserve([Part(evolve(PARALLEL, scope="runs"), 1)], NOON))
        counters.prune(NOON)
        self.assertEqual(list(counters.parallel.values()), [1])


class BudgetTests(SynchronousTestCase):
    def test_reservations_count(self) -> None:
        """What running requests may cost is not given to others; they are told when it begins anew."""
        counters = Counters()
        reserved(counters.reserve([Part(BUDGET, 400)], NOON))
        outcome = refused(counters.reserve([Part(BUDGET, 101)], NOON))
        midnight = NOON // 86400 * 86400 + 86400
        self.assertEqual((outcome.left, outcome.resets_in), (100, midnight - NOON))
        reserved(counters.reserve([Part(BUDGET, 100)], NOON))

    def test_never(self) -> None:
        """More than the whole budget fits at no time, and in a total one nothing does once it is used."""
        self.assertIsNone(refused(Counters().reserve([Part(BUDGET, 501)], NOON)).resets_in)
        counters, total = Counters(), evolve(BUDGET, window="total")
        reserved(counters.reserve([Part(total, 500)], NOON))
        self.assertIsNone(refused(counters.reserve([Part(total, 1)], NOON + 1e9)).resets_in)

    def test_next_window(self) -> None:
        """It begins anew; what runs meanwhile is reserved of the new one, and spent in it."""
        counters, tomorrow = Counters(), NOON + 86400
        held = reserved(counters.reserve([Part(BUDGET, 300)], NOON))
        counters.settle(reserved(counters.reserve([Part(BUDGET, 200)], NOON)), [200], NOON)
        self.assertEqual(counters.left(BUDGET, tomorrow).used, 300)
        counters.settle(held, [250], tomorrow)
        self.assertEqual(counters.left(BUDGET, tomorrow).used, 250)

    def test_minutes(self) -> None:
        """A budget of a minute is that of a minute of the clock, not one that slides as rates do."""
        counters, rule = Counters(), evolve(BUDGET, window="1m")
        counters.settle(reserved(counters.reserve([Part(rule, 500)], NOON)), [500], NOON)
        self.assertEqual(refused(counters.reserve([Part(rule, 1)], NOON)).resets_in, 40.0)
        reserved(counters.reserve([Part(rule, 500)], NOON + 40))

    def test_passed_by_what_runs(self) -> None:
        """An answer may cost more than was reserved: that is spent all the same."""
        counters = Counters()
        counters.settle(reserved(counters.reserve([Part(BUDGET, 10)], NOON)), [900], NOON)
        self.assertEqual((counters.left(BUDGET, NOON).used, counters.left(BUDGET, NOON).left), (900, 0))

    def test_warn(self) -> None:
        """A budget that only warns refuses nobody, and says so when it is passed."""
        counters, rule = Counters(), evolve(BUDGET, over_budget="warn")
        held = reserved(counters.reserve([Part(rule, 5000)], NOON))
        self.assertEqual([each.share for each in counters.settle(held, [5000], NOON)], [50, 80, 100])

    def test_restore(self) -> None:
        """What a ledger says was spent before counts as if it had been counted here."""
        counters = Counters()
        self.assertFalse(counters.knows(BUDGET, NOON))
        counters.restore(BUDGET, 450, NOON, NOON)
        counters.restore(REQUESTS, 7, NOON - 30, NOON)
        counters.restore(REQUESTS, 9, NOON - 90, NOON)
        self.assertTrue(counters.knows(BUDGET, NOON))
        self.assertFalse(counters.knows(BUDGET, NOON + 86400))
        self.assertEqual([counters.left(each, NOON).used for each in (BUDGET, REQUESTS)], [450, 7])

    def test_set_back(self) -> None:
        """A budget that was set back begins anew; what ran before is settled in the old one."""
        counters, again = Counters(), evolve(BUDGET, since=NOON + 1)
        held = reserved(counters.reserve([Part(BUDGET, 500)], NOON))
        reserved(counters.reserve([Part(again, 500)], NOON + 2))
        counters.settle(held, [500], NOON + 3)
        self.assertEqual(counters.left(again, NOON + 3).used, 500)


class PruneTests(SynchronousTestCase):
    def test_forgets(self) -> None:
        """What counts for nothing any more takes no memory; what runs is kept."""
        counters = Counters()
        held = reserved(counters.reserve([Part(each, 1) for each in (REQUESTS, PARALLEL, BUDGET)], NOON))
        counters.prune(NOON + 200_000)
        self.assertEqual(len(counters), 2)
        counters.settle(held, [None] * 3, NOON)
        counters.prune(NOON + 400_000)
        self.assertEqual(len(counters), 0)


KINDS: tuple[Kind, ...] = ("requests", "tokens", "parallel", "money")


class AllTests(SynchronousTestCase):
    @given(st.data())
    def test_nothing_is_left(self, data: st.DataObject) -> None:
        """Whatever is asked, in whatever order it ends: all that ran and was given back has used nothing."""
        counters, running, now = Counters(), [], NOON
        limits = data.draw(st.lists(st.integers(0, 9), min_size=4, max_size=4))
        rules = [Rule(kind, "all", limit, "x", "1d" if kind == "money" else "1m") for kind, limit in zip(KINDS, limits)]
        for _ in range(data.draw(st.integers(0, 30))):
            now += data.draw(st.floats(0, 5))
            if running and data.draw(st.booleans()):
                counters.give_back(running.pop(data.draw(st.integers(0, len(running) - 1))), now)
                continue
            asked = [Part(rule, data.draw(st.integers(1, 3))) for rule in rules if data.draw(st.booleans())]
            outcome = counters.reserve(asked, now)
            if isinstance(outcome, Reservation):
                running.append(outcome)
            for rule in rules:
                self.assertLessEqual(counters.left(rule, now).used, rule.limit, rule)
        for held in running:
            counters.give_back(held, now)
        self.assertEqual([counters.left(each, now).used for each in rules], [0, 0, 0, 0])
