"""Tests of L{llmproxy.core.limits.pricing}."""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.pricing import at_most, picos
from llmproxy.core.limits.reservation import Estimate
from llmproxy.core.limits.values import PICO
from llmproxy.core.pricing.tariff import Price, Tariff
from llmproxy.usage import UNKNOWN, Usage

TARIFF = Tariff.of({"input_tokens": Price(Decimal(2)), "output_tokens": Price(Decimal(8))})
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
