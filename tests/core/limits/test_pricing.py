"""Tests of L{llmproxy.core.limits.pricing}."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_CEILING, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.pricing import at_most, picos
from llmproxy.core.limits.reservation import Estimate
from llmproxy.core.limits.values import PICO
from llmproxy.core.pricing.tariff import Period, Price, Tariff
from llmproxy.usage import UNKNOWN, Usage

TARIFF = Tariff.of({"input_tokens": Price(Decimal(2)), "output_tokens": Price(Decimal(8))})
UNITS = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens"),
    *("input_audio_tokens", "requests", "images", "audio_seconds", "web_searches", "input_characters"),
)
AMOUNTS = st.decimals(0, 100, places=7) | st.just(Decimal(0))
STEPS = st.just(()) | st.tuples(st.tuples(st.integers(0, 3000), AMOUNTS))
PRICES = st.dictionaries(st.sampled_from(UNITS), st.builds(Price, AMOUNTS, STEPS), min_size=1, max_size=5)
TOKENS = st.integers(0, 5000)
COUNTS = st.none() | TOKENS
BY_HOUR = Tariff.of({"audio_seconds": Price(Decimal(1))})


class PricingTests(SynchronousTestCase):
    def test_table(self) -> None:
        """USD for a million of them are as many 10^-6 USD for each."""
        rows = (
            (TARIFF, Usage(input_tokens=10, output_tokens=5), 60 * PICO // 10**6),
            (TARIFF, Usage(input_tokens=0, output_tokens=0), 0),
            (TARIFF, UNKNOWN, None),
            (None, Usage(input_tokens=10, output_tokens=5), None),
        )
        for tariff, usage, expected in rows:
            self.assertEqual(picos(tariff, usage, 0.0), expected, usage)

    def test_estimate(self) -> None:
        """An estimate costs as much as what it says would; what is not billed by tokens cannot be said."""
        self.assertEqual(at_most(TARIFF, Estimate(10, 5), 0.0), 60 * PICO // 10**6)
        self.assertIsNone(at_most(BY_HOUR, Estimate(10, 5), 0.0))
        self.assertEqual(TARIFF.line, (0, 2 * PICO // 10**6, 8 * PICO // 10**6))
        always, later = (Period(), TARIFF.terms[0][1]), (Period(since=date(2026, 1, 1)), TARIFF.terms[0][1])
        for tariff in (BY_HOUR, Tariff((always, later))):
            self.assertIsNone(tariff.line, tariff)

    @settings(deadline=None)
    @given(PRICES, TOKENS, TOKENS)
    def test_estimates_as_usage(self, prices: dict[str, Price], into: int, out: int) -> None:
        """So it is with prices of all sorts: an answer that says only these tokens would cost as much, to the digit."""
        tariff = Tariff.of(prices)
        found = at_most(tariff, Estimate(into, out), 0.0)
        self.assertEqual(found, rounded_up(tariff.cost(Usage(input_tokens=into, output_tokens=out), 0.0)))
        if tariff.line is not None:
            once, each_in, each_out = tariff.line
            self.assertEqual(once + into * each_in + out * each_out, found)

    @settings(deadline=None)
    @given(PRICES, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
    def test_usage(
        self,
        prices: dict[str, Price],
        into: int | None,
        cached: int | None,
        out: int | None,
        thought: int | None,
        seconds: int | None,
    ) -> None:
        """Whole numbers say the same as the exact cost, rounded up."""
        usage = Usage(into, cached, None, out, thought, seconds=None if seconds is None else seconds / 8)
        tariff = Tariff.of(prices)
        self.assertEqual(picos(tariff, usage, 0.0), rounded_up(tariff.cost(usage, 0.0)))


def rounded_up(cost: Decimal | None) -> int | None:
    return None if cost is None else int((cost * PICO).to_integral_value(ROUND_CEILING))
