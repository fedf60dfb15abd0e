"""Tests of L{llmproxy.limits.leaseset}."""

from __future__ import annotations

from random import Random
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from llmproxy.core.limits.counterset import Counted
from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Part, Refusal, Reservation
from llmproxy.limits.atonce import AtOnce
from llmproxy.limits.leased import FORGETS_AFTER, LeasedBudgets
from llmproxy.limits.memory import MemoryLimits
from llmproxy.limits.restored import RestoredLimits
from llmproxy.limits.split import SplitLimits
from llmproxy.store.budgets import BudgetLeases

from ..store.databases import opened
from .test_leased import BUDGET, Case, Gate

RULES = (
    Rule("requests", "token:t", 40, "rpm_limit of t", "1m"),
    Rule("parallel", "token:t", 4, "max_parallel_requests of t"),
    evolve(BUDGET, scope="project:p", limit=30 * PICO, window="1h"),
    Rule("tokens", "token:t", 400, "tpm_limit of t", "1m"),
    BUDGET,
    evolve(BUDGET, scope="project:q", limit=PICO, over_budget="warn"),
)


class Side:
    """
    A process with a database of its own.

    @param at_once: by a set, where there is one and the request fits in it.
    """

    def __init__(self, case: Case, at_once: bool) -> None:
        gate = Gate(BudgetLeases(case.clock, opened(case, clock=case.clock), "a" * 32))
        seconds = case.clock.seconds
        self.budgets = LeasedBudgets(
            case.clock,
            gate,  # type: ignore[arg-type]
            "a" * 32,
            lambda rule: succeed(0),
            lambda rules: succeed([0] * len(rules)),
            case.warned.append,
            case.mktemp(),
        )
        self.budgets.start()
        case.addCleanup(self.budgets.stop)
        memory = MemoryLimits(seconds, case.warned.append)
        rest = RestoredLimits(memory, seconds, lambda rule: succeed(0))
        self.case, self.seconds = case, seconds
        self.store = SplitLimits(rest, self.budgets)
        self.at_once = AtOnce(rest, memory.counters, seconds, case.warned.append, self.budgets) if at_once else None
        self.counted: Counted | None = None
        self.fitted = 0

    def ask(self, rules: tuple[Rule, ...], tokens: int, money: int) -> Any:
        """What it holds; C{None} where it is refused."""
        amounts = {"tokens": tokens, "money": money}
        parts = [Part(rule, amounts.get(rule.kind, 1)) for rule in rules]
        if self.counted is not None and self.counted.take(tokens, money, self.seconds()):
            self.fitted += 1
            return self.counted, parts, self.seconds()
        outcome: Any = self.store.reserve(parts)
        if isinstance(outcome, Deferred):
            outcome = self.case.successResultOf(outcome)
        if isinstance(outcome, Refusal):
            return None
        if self.at_once is not None and (self.counted is None or not self.counted.is_current):
            self.counted = self.at_once.counted(rules)
        return outcome

    def end(self, held: Any, tokens: int, money: int) -> None:
        if not isinstance(held, Reservation):
            counted, parts, at = held
            amounts = {part.rule.kind: part.amount for part in parts}
            into, reserved = amounts.get("tokens", 0), amounts.get("money", 0)
            if counted.settle(into, reserved, at, tokens, money, self.seconds()) is not None:
                return
            held = counted.reservation(parts, at)
        used = {"tokens": tokens, "money": money}
        self.store.settle(held, [used.get(part.rule.kind) for part in held.parts])

    def used(self, rules: tuple[Rule, ...]) -> list[int]:
        return [each.used for each in self.case.successResultOf(self.store.left(rules))]


class LeaseSetTests(Case):
    def test_as_one_by_one(self) -> None:
        """Whatever comes: it admits, refuses and settles as the store does that is asked limit by limit."""
        for seed in range(6):
            draw = Random(seed)
            rules = tuple(rule for rule in RULES if draw.random() < 0.7) or RULES
            sides = Side(self, at_once=False), Side(self, at_once=True)
            running: list[tuple[Any, Any]] = []
            for step in range(150):
                if draw.random() < 0.6:
                    asked = draw.randrange(60), draw.randrange(PICO // 10)
                    held = tuple(side.ask(rules, *asked) for side in sides)
                    self.assertEqual(held[0] is None, held[1] is None, (seed, step))
                    if held[0] is not None:
                        running.append(held)
                elif running:
                    used = draw.randrange(60), draw.randrange(PICO // 8)
                    for side, each in zip(sides, running.pop(draw.randrange(len(running))), strict=True):
                        side.end(each, *used)
                self.assertEqual(*(side.used(rules) for side in sides), (seed, step))
                self.clock.advance(draw.choice((*(0.05, 0.1, 0.2, 0.5) * 6, 3.0, 40.0)))
            self.assertGreater(sides[1].fitted, 20, seed)

    def test_forgotten(self) -> None:
        """An account that is not kept any more is not taken from; what was taken is given back by the store."""
        side = Side(self, at_once=True)
        side.end(side.ask((BUDGET,), 0, PICO), 0, 0)
        counted = side.counted
        assert counted is not None
        self.assertTrue(counted.is_current)
        self.clock.advance(1)
        side.store.give_back(counted.reservation([Part(BUDGET, 5)], 0.0)) if counted.take(0, 5, 0.0) else self.fail()
        self.assertEqual(side.used((BUDGET,)), [0])
        for _ in range(int(FORGETS_AFTER)):
            self.clock.advance(2.0)
        self.assertFalse(counted.is_current)
        self.assertFalse(counted.take(0, 5, self.clock.seconds()))

    def test_not_begun(self) -> None:
        """Of a budget that was not met yet there is none; where another limit is met there is."""
        side = Side(self, at_once=True)
        assert side.at_once is not None
        self.assertIsNone(side.at_once.counted(RULES))
        self.assertIsNotNone(side.at_once.counted(RULES[:2]))

    def test_limit_changes(self) -> None:
        """What was leased under another limit is not taken."""
        side = Side(self, at_once=True)
        side.end(side.ask((BUDGET,), 0, PICO), 0, 0)
        lower = evolve(BUDGET, limit=PICO)
        self.assertIsNotNone(side.at_once)
        assert side.at_once is not None
        other = side.at_once.counted([lower])
        assert other is not None
        self.assertFalse(other.take(0, 5, self.clock.seconds()))
        self.assertTrue(side.counted is not None and side.counted.take(0, 5, self.clock.seconds()))
