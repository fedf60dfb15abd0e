"""Tests for L{llmproxy.core.pricing.rules}."""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.pricing.rules import AMOUNTS, PriceRule, fingerprint, prices_of
from llmproxy.core.pricing.tariff import Price, Tariff
from llmproxy.usage import Usage
from tests.tables import row

D = Decimal


class PricesTests(SynchronousTestCase):
    def test_amounts(self) -> None:
        """Tokens by the million; pictures, requests, searches and time by the piece."""
        for name, usage, expected in (
            ("input", Usage(2_000_000), "6"),
            ("image", Usage(images=2), "6"),
            ("second", Usage(seconds=2.0), "6"),
            ("minute", Usage(seconds=120.0), "6"),
            ("hour", Usage(seconds=7200.0), "6"),
            ("request", Usage(1), "3"),
        ):
            with row(name):
                self.assertEqual(Tariff.of(prices_of({name: D(3)}, {})).cost(usage, 0), D(expected))

    def test_every_amount(self) -> None:
        """All of them at once are a tariff, whose parts are each billed once."""
        amounts = {name: D(1) for name in AMOUNTS if name not in ("second", "minute")}
        tariff = Tariff.of(prices_of(amounts, {}))
        self.assertEqual(tariff.cost(Usage(5, 2, 1, 5, 2, 1, 1), 0), D("1.00001"))

    def test_above(self) -> None:
        """Requests with more input have other prices."""
        found = prices_of({"input": D(1), "output": D(2)}, {300: {"input": D(5)}, 200: {"input": D(3), "output": D(4)}})
        self.assertEqual(found["input_tokens"], Price(D(1), ((200, D(3)), (300, D(5)))))
        self.assertEqual(found["output_tokens"], Price(D(2), ((200, D(4)),)))

    def test_wrong(self) -> None:
        """What cannot be meant so is refused, with what to do."""
        for amounts, above, word in (
            ({"cached_input": D(1)}, {}, "give input too"),
            ({"input": D(1), "cache_write_1h": D(1)}, {}, "give cache_write too"),
            ({"second": D(1), "hour": D(1)}, {}, "one of second and hour"),
            ({"input": D(1)}, {5: {"output": D(1)}}, "above.5.output"),
        ):
            with row(amounts, above):
                error = self.assertRaises(ValueError, prices_of, amounts, above)
                self.assertIn(word, str(error))


class RuleTests(SynchronousTestCase):
    def test_globs(self) -> None:
        """Both globs must match, whole."""
        rule = PriceRule("open*", "gpt-4o*")
        for api, model, expected in (
            ("openai", "gpt-4o-mini", True),
            ("openai", "gpt-4o", True),
            ("openai", "my-gpt-4o", False),
            ("azure", "gpt-4o", False),
        ):
            with row(api, model):
                self.assertEqual(rule.matches(api, model), expected)
        self.assertTrue(PriceRule().matches("any", ""))

    def test_like(self) -> None:
        """It costs what the book says of another, or of the same name there; times what was agreed on."""
        book = {("openai", "gpt-4o"): Tariff.of({"input_tokens": Price(D(2), ((10, D(4)),))})}
        for rule, model, usage, expected in (
            (PriceRule(like="openai"), "gpt-4o", Usage(10), "0.00002"),
            (PriceRule(like="openai", like_model="gpt-4o"), "prod", Usage(11), "0.000044"),
            (PriceRule(like="openai", times=D("0.5")), "gpt-4o", Usage(11), "0.000022"),
        ):
            with row(rule, model):
                tariff = rule.tariff(model, lambda *key: book.get(key))
                self.assertEqual(tariff and tariff.cost(usage, 0), D(expected))
        self.assertIsNone(PriceRule(like="openai").tariff("prod", lambda *key: book.get(key)))

    def test_fingerprint(self) -> None:
        """It differs where what is said differs, and their order is a part of that."""
        one, other = PriceRule(prices={"input_tokens": Price(D("1.0"))}), PriceRule("x")
        self.assertEqual(fingerprint([]), "")
        self.assertEqual(fingerprint([one, other]), fingerprint([one, other]))
        self.assertNotEqual(fingerprint([one, other]), fingerprint([other, one]))
        self.assertEqual(len(fingerprint([one])), 8)
