"""Tests for L{llmproxy.cli.prices_shown}; what commands make of it is in L{tests.cli.test_prices}."""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.prices_shown import Known, as_json, row_of
from llmproxy.core.pricing.rules import AMOUNTS, prices_of


class ShownTests(SynchronousTestCase):
    def test_every_amount(self) -> None:
        """Every amount that a configuration can give is shown as it gives it, once."""
        amounts = {name: Decimal(1) for name in AMOUNTS if name not in ("second", "minute")}
        known = Known("a", "", "m", "prices[0]", prices_of(amounts, {}))
        *main, rest, source = row_of(known)
        self.assertEqual((main, source), (["a", "m", "1", "1", "1", "1"], "prices[0]"))
        names = {part.partition(" ")[0] for part in rest.split(", ")}
        shown = set(amounts)
        self.assertEqual(names, shown - {"input", "cached_input", "cache_write", "output"})
        self.assertEqual(set(as_json(known)["prices"]), shown)
        self.assertNotIn("0.00", rest)
