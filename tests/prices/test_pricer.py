"""Tests for L{llmproxy.prices.pricer}."""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.pricing.rules import PriceRule
from llmproxy.core.pricing.tariff import Price, Tariff
from llmproxy.prices.book import Book
from llmproxy.prices.pricer import MOST_TARIFFS, UNSEEN, Prices
from llmproxy.usage import Usage
from tests.tables import row

D = Decimal


class ShortBook(Book):
    """One model, at two USD; it notes what it is asked."""

    def __init__(self) -> None:
        self.version = "short-1"
        self.asked: list[tuple[str, str]] = []

    def tariff(self, provider: str, model: str) -> Tariff | None:
        self.asked.append((provider, model))
        known = (provider, model) == ("google", "gemini-x")
        return Tariff.of({"input_tokens": Price(D(2))}) if known else None


RULES = (
    PriceRule("local", prices={"input_tokens": Price(D(0))}),
    PriceRule("*", "gemini-y", like="gemini", like_model="gemini-x"),
    PriceRule("g", "gemini-x*", prices={"input_tokens": Price(D(1))}),
)


def prices(*rules: PriceRule) -> Prices:
    return Prices(rules, {"gemini": "google"}, ShortBook())


class PricesTests(SynchronousTestCase):
    def test_who_decides(self) -> None:
        """The first rule that matches, else the book; and the model that answered, else the one that was asked for."""
        found = prices(*RULES)
        for provider, api, model, served, expected in (
            ("gemini", "other", "gemini-x", "", "2"),
            ("gemini", "other", "gemini-z", "gemini-x", "2"),
            ("gemini", "other", "gemini-x", "gemini-z", None),
            ("gemini", "g", "gemini-x", "", "1"),
            ("", "g", "gemini-x", "", "1"),
            ("", "other", "gemini-x", "", None),
            ("ollama", "other", "gemini-x", "", None),
            ("", "local", "", "", "0"),
            ("", "any", "gemini-y", "", "2"),
            ("gemini", "other", "", "", None),
        ):
            with row(provider, api, model, served):
                self.assertEqual(found.has_price(provider, api, served or model), expected is not None)
                priced = found.price(provider, api, model, Usage(1_000_000, served_model=served), 0)
                self.assertEqual(priced and priced.cost, expected and D(expected))

    def test_version(self) -> None:
        """It names the book, and the configuration's own prices by what they say."""
        self.assertEqual(prices().version, "short-1")
        one, other = prices(RULES[0]).version, prices(RULES[1]).version
        self.assertRegex(one, r"^short-1\+prices-[0-9a-f]{8}$")
        self.assertNotEqual(one, other)
        priced = prices(RULES[0]).price("", "local", "m", Usage(1), 0)
        self.assertEqual(priced and priced.book, one)

    def test_looked_up_once(self) -> None:
        """What was found, and what was not, is known from then on."""
        book = ShortBook()
        found = Prices((), {"gemini": "google"}, book)
        for model in ("gemini-x", "gemini-z"):
            key = ("gemini", "a", model)
            self.assertIs(found.seen(key), UNSEEN)
            self.assertIs(found.tariff(key), found.tariff(key))
            self.assertIs(found.seen(key), found.tariff(key))
        self.assertEqual(book.asked, [("google", "gemini-x"), ("google", "gemini-z")])

    def test_bound(self) -> None:
        """Any number of names can be asked for, and so many are remembered."""
        found = prices()
        for number in range(MOST_TARIFFS + 10):
            found.tariff(("gemini", "a", f"m{number}"))
        self.assertIs(found.seen(("gemini", "a", "m0")), UNSEEN)
        self.assertIsNone(found.seen(("gemini", "a", f"m{MOST_TARIFFS}")))
