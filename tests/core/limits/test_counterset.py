"""Tests of L{llmproxy.core.limits.counterset}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.counters import Counters
from llmproxy.core.limits.counterset import CounterSet
from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Part, Refusal, Reservation

from .test_counters import BUDGET, NOON, PARALLEL, REQUESTS, TOKENS

RULES = (
    evolve(REQUESTS, limit=8),
    evolve(TOKENS, limit=40),
    evolve(PARALLEL, limit=3),
    evolve(BUDGET, limit=300, window="1h", soft=60),
    evolve(BUDGET, limit=5, scope="project:p", over_budget="warn"),
    evolve(REQUESTS, limit=30, scope="project:p"),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "end", "end", "prune"]), st.floats(0, 900), st.integers(0, 30), st.integers(0, 40)
    ),
    max_size=40,
)


def parts(rules: tuple[Rule, ...], tokens: int, money: int) -> list[Part]:
    return [Part(rule, {"tokens": tokens, "money": money}.get(rule.kind, 1)) for rule in rules]


class CounterSetTests(SynchronousTestCase):
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(STEPS, st.sets(st.sampled_from(RULES), min_size=1))
    def test_as_one_by_one(self, steps: list[Any], chosen: set[Rule]) -> None:
        """Whatever comes: it admits, refuses, settles and warns as the counters do that are asked one by one."""
        rules = tuple(rule for rule in RULES if rule in chosen)
        by_set, by_hand, now = Counters(look_at=float("inf")), Counters(), NOON
        counters = CounterSet(by_set, rules, now)
        running: list[tuple[tuple[int, int, float], Reservation]] = []
        for kind, pause, tokens, money in steps:
            now += pause
            if not counters.is_current:
                counters = CounterSet(by_set, rules, now)
            if kind == "prune":
                by_set.prune(now)
                by_hand.prune(now)
            elif kind == "ask":
                outcome = by_hand.reserve(parts(rules, tokens, money), now)
                fits = counters.take(tokens, money, now)
                self.assertEqual(fits, isinstance(outcome, Reservation), (now, outcome))
                if isinstance(outcome, Reservation):
                    running.append(((tokens, money, now), outcome))
            elif running:
                taken, held = running.pop(tokens % len(running))
                used = [{"tokens": tokens, "money": money}.get(rule.kind) for rule in rules]
                found = counters.settle(*taken, tokens, money, now)
                self.assertEqual(list(found or ()), by_hand.settle(held, used, now), now)
            lefts = [[each.left(rule, now) for rule in rules] for each in (by_set, by_hand)]
            self.assertEqual(lefts[0], lefts[1], now)

    def test_beside(self) -> None:
        """What one by one is taken counts here, and the other way round."""
        counters = Counters(look_at=float("inf"))
        together = CounterSet(counters, RULES[:3], NOON)
        self.assertTrue(together.take(10, 0, NOON))
        self.assertIsInstance(counters.reserve(parts(RULES[:3], 10, 0), NOON), Reservation)
        self.assertIsInstance(counters.reserve(parts(RULES[:3], 21, 0), NOON), Refusal)
        self.assertFalse(together.take(21, 0, NOON))
        self.assertTrue(together.take(20, 0, NOON))
        self.assertEqual([counters.left(rule, NOON).used for rule in RULES[:3]], [3, 40, 3])

    def test_forgotten(self) -> None:
        """Where counters were forgotten, or are to be looked after, it takes nothing and settles nothing."""
        counters = Counters(look_at=NOON + 1)
        together = CounterSet(counters, RULES, NOON)
        self.assertTrue(together.take(1, 1, NOON))
        self.assertFalse(together.take(1, 1, NOON + 1))
        counters.look_at = NOON + 9
        for forgets in ("prune", "shed"):
            together = CounterSet(counters, RULES, NOON)
            counters.prune(NOON) if forgets == "prune" else counters.shed(0)
            before = [counters.left(rule, NOON) for rule in RULES]
            self.assertFalse(together.is_current, forgets)
            self.assertFalse(together.take(1, 1, NOON), forgets)
            self.assertIsNone(together.settle(1, 1, NOON, 1, 1, NOON), forgets)
            self.assertEqual([counters.left(rule, NOON) for rule in RULES], before, forgets)
