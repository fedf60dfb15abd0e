"""Tests of L{llmproxy.limits.atonce}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.verdicts import Part
from llmproxy.limits.atonce import AtOnce
from llmproxy.limits.memory import MemoryLimits
from llmproxy.limits.restored import RestoredLimits

from ..core.limits.test_counters import BUDGET, NOON, REQUESTS


class AtOnceTests(SynchronousTestCase):
    def test_known(self) -> None:
        """A budget is counted so from when it is known what was spent of it; rates are at once."""
        asked: list[Deferred[int]] = []
        crossed: list[Any] = []

        def spent(rule: object) -> Deferred[int]:
            asked.append(Deferred())
            return asked[-1]

        memory = MemoryLimits(lambda: NOON, crossed.append)
        restored = RestoredLimits(memory, lambda: NOON, spent)
        at_once = AtOnce(restored, memory.counters, lambda: NOON, crossed.append)
        self.assertIsNone(at_once.counted([REQUESTS, BUDGET]))
        self.assertIsNotNone(at_once.counted([REQUESTS]))
        restored.reserve([Part(BUDGET, 1)])
        self.assertIsNone(at_once.counted([BUDGET]))
        asked[0].callback(490)
        counters = at_once.counted([BUDGET])
        assert counters is not None
        self.assertFalse(counters.take(0, 10, NOON))
        self.assertIsNotNone(counters.take(0, 9, NOON))

    def test_first_minute(self) -> None:
        """Rates of a process that has just begun are counted so from when it is known what was used before."""
        asked: list[Deferred[Any]] = []

        def used(rule: object) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[-1]

        memory = MemoryLimits(lambda: NOON, print)
        restored = RestoredLimits(memory, lambda: NOON, lambda rule: Deferred(), used)
        at_once = AtOnce(restored, memory.counters, lambda: NOON, print)
        self.assertIsNone(at_once.counted([REQUESTS]))
        restored.reserve([Part(REQUESTS, 1)])
        self.assertIsNone(at_once.counted([REQUESTS]))
        asked[0].callback([(NOON - 5, REQUESTS.limit - 2)])
        counters = at_once.counted([REQUESTS])
        assert counters is not None
        self.assertTrue(counters.take(0, 0, NOON))
        self.assertFalse(counters.take(0, 0, NOON))
