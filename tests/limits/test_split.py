"""Tests of L{llmproxy.limits.split}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Left, Part, Refusal, Reservation
from llmproxy.limits.memory import MemoryLimits
from llmproxy.limits.restored import RestoredLimits
from llmproxy.limits.split import SplitLimits

from .test_leased import BUDGET, Case

REQUESTS = Rule("requests", "token:t", 3, "rpm_limit of t", "1m")
PARALLEL = Rule("parallel", "token:t", 2, "max_parallel_requests of t")


class SplitTests(Case):
    def setUp(self) -> None:
        super().setUp()
        memory = MemoryLimits(self.clock.seconds, self.warned.append)
        rest = RestoredLimits(memory, self.clock.seconds, lambda rule: succeed(0))
        self.store = SplitLimits(rest, self.one)

    def asked(self, *parts: Part) -> Reservation | Refusal:
        found = self.store.reserve(parts)
        return self.successResultOf(found) if isinstance(found, Deferred) else found

    def lefts(self, *rules: Rule) -> list[int]:
        found: list[Left] = self.successResultOf(self.store.left(rules))
        self.assertEqual([each.rule for each in found], list(rules))
        return [each.used for each in found]

    def test_settled(self) -> None:
        """Each part is settled where it is counted, in whatever order they come."""
        parts = [Part(REQUESTS, 1), Part(BUDGET, 5 * PICO), Part(PARALLEL, 1)]
        held = self.asked(*parts)
        assert isinstance(held, Reservation)
        self.assertEqual(held.parts, tuple(parts))
        rules = [each.rule for each in parts]
        self.assertEqual(self.lefts(*rules), [1, 5 * PICO, 1])
        self.store.settle(held, [None, 2 * PICO, None])
        self.assertEqual(self.lefts(*rules), [1, 2 * PICO, 0])
        again = self.asked(*parts[::-1])
        assert isinstance(again, Reservation)
        self.store.give_back(again)
        self.assertEqual(self.lefts(*rules), [1, 2 * PICO, 0])

    def test_either_refuses(self) -> None:
        """Then nothing is taken of the other."""
        low = evolve(REQUESTS, limit=0)
        self.assertIsInstance(self.asked(Part(low, 1), Part(BUDGET, PICO)), Refusal)
        self.assertIsInstance(self.asked(Part(REQUESTS, 1), Part(BUDGET, 101 * PICO)), Refusal)
        self.assertEqual(self.lefts(BUDGET, REQUESTS), [0, 0])

    def test_only_one(self) -> None:
        """Where all of it is counted in one place, the other is not asked."""
        for rule in (BUDGET, REQUESTS):
            held = self.asked(Part(rule, 1))
            assert isinstance(held, Reservation)
            self.store.settle(held, [1])
            gone = self.asked(Part(rule, 1))
            assert isinstance(gone, Reservation)
            self.store.give_back(gone)
            self.assertEqual(self.lefts(rule), [1], rule.kind)
