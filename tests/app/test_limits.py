"""Tests of L{llmproxy.app.limits}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.costs import Costs
from llmproxy.app.limits import UsageLimiting
from llmproxy.core.limits.values import PICO, Rule, UsageLimitSettings
from llmproxy.core.limits.verdicts import Part, Reservation
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.usagelimits import UsageLimits

BUDGET = Rule("money", "token:t", 10 * PICO, "max_budget of the token 'ci'", "1d", soft=2 * PICO)


class UsageLimitingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.limiting = UsageLimiting(self.clock, Costs(self.clock), None, lambda rule: succeed(0))  # type: ignore[arg-type]
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.saw)
        self.addCleanup(globalLogPublisher.removeObserver, self.saw)

    def saw(self, event: LogEvent) -> None:
        if event.get("log_format"):
            self.lines.append(event["log_format"].format(**event))

    def spend(self, amount: int) -> None:
        held = self.limiting.store.reserve([Part(BUDGET, 0)])
        held = self.successResultOf(held) if isinstance(held, Deferred) else held
        assert isinstance(held, Reservation)
        self.limiting.store.settle(held, [amount])

    def test_warnings(self) -> None:
        """A share of a budget that is passed is said once, and handed on; a listener that fails hurts nobody."""
        shares: list[int] = []

        def broken(crossed: Any) -> None:
            raise ValueError("fault")

        self.limiting.listeners += [broken, lambda crossed: shares.append(crossed.share)]
        for _ in range(6):
            self.spend(2 * PICO)
        self.assertEqual(shares, [0, 50, 80, 100])
        said = [line for line in self.lines if line.startswith("limits: ") and "is used" in line]
        self.assertEqual(
            said[0],
            "limits: its soft_budget of max_budget of the token 'ci' is used: 2.00 USD of 10.00 USD (window 1d)",
        )
        self.assertEqual(len(said), 4)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 4)

    def test_metrics(self) -> None:
        """Each share that is passed counts, by the share; what was decided alone too."""
        metrics = ProxyMetrics()
        self.limiting.show(metrics)
        for _ in range(6):
            self.spend(2 * PICO)
        expected = {("soft", "token"): 1, ("50", "token"): 1, ("80", "token"): 1, ("100", "token"): 1}
        self.assertEqual(metrics.warnings, expected)
        self.assertEqual(metrics.counters["llmproxy_limits_decided_alone"][1](), 0)

    def test_left(self) -> None:
        """What is left, and the moment at which all of it is there again."""
        self.spend(PICO)
        (left,) = self.successResultOf(self.limiting.left([BUDGET]))
        self.assertEqual((left.rule, left.amount), (BUDGET, 9 * PICO))
        self.assertEqual(left.resets_at, BUDGET.span(self.clock.seconds())[1])
        (unused,) = self.successResultOf(self.limiting.left([evolve(BUDGET, scope="token:other")]))
        self.assertEqual((unused.amount, unused.resets_at), (10 * PICO, None))

    def test_settings(self) -> None:
        """Those that are served now; what is used outlives them."""
        settings = UsageLimitSettings(UsageLimits(rpm_limit=1))
        self.limiting.middleware(settings)
        self.assertIs(self.limiting.settings, settings)
