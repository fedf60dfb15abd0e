"""Tests for L{llmproxy.core.prices}."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Counts, Entry
from llmproxy.core.prices import Priced, lacks_price, price_entry, written
from llmproxy.usage import Usage
from tests.tables import row


class Asked:
    """A pricer that notes what it was asked, and answers what it was given."""

    def __init__(self, *answers: Priced | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str, Usage, float]] = []

    def has_price(self, provider: str, api: str, model: str) -> bool:
        self.looked_for = (provider, api, model)
        return api != "without"

    def price(self, provider: str, api: str, model: str, usage: Usage, at: float) -> Priced | None:
        self.asked.append((provider, api, model, usage, at))
        return self.answers.pop(0)


COSTS = Priced(Decimal("0.50"), "b2")


class WrittenTests(SynchronousTestCase):
    def test_written(self) -> None:
        """No exponent, no needless zeros, nothing lost."""
        for cost, expected in (
            ("0.50", "0.5"),
            ("0", "0"),
            ("0E-12", "0"),
            ("1E+3", "1000"),
            ("0.000000000001", "0.000000000001"),
            ("123456789.123456789012", "123456789.123456789012"),
        ):
            with row(cost):
                self.assertEqual(written(Decimal(cost)), expected)


class EntryTests(SynchronousTestCase):
    def test_priced(self) -> None:
        """All that an entry says is what is priced, at the time when it was asked."""
        entry = Entry(
            "1", 5.0, api="a", provider="p", model="m", served_model="s", input_tokens=3, raw=b'{"service_tier":"x"}'
        )
        pricer = Asked(COSTS)
        found = price_entry(entry, pricer)
        self.assertEqual((found.cost, found.cost_saved, found.book), ("0.5", None, "b2"))
        usage = Usage(input_tokens=3, served_model="s", raw={"service_tier": "x"})
        self.assertEqual(pricer.asked, [("p", "a", "m", usage, 5.0)])

    def test_no_price(self) -> None:
        """Of a model that has no price nothing is read; the name is that which is priced."""
        for entry, model in (
            (Entry("1", 5.0, api="without", provider="p", model="m", served_model="s", input_tokens=3), "s"),
            (Entry("1", 5.0, api="without", provider="p", model="m", unknown=True, raw=b"{"), "m"),
        ):
            pricer = Asked()
            with row(model):
                self.assertIs(price_entry(entry, pricer), entry)
                self.assertEqual((pricer.looked_for, pricer.asked), (("p", "without", model), []))

    def test_replaced(self) -> None:
        """What stood there was made with the prices of another day."""
        entry = Entry("1", 5.0, input_tokens=3, cost="9", book="b1")
        self.assertEqual(price_entry(entry, Asked(COSTS)).cost, "0.5")
        self.assertIs(price_entry(entry, Asked(None)), entry)

    def test_nothing_used(self) -> None:
        """An exchange whose answer was not looked at is not asked about; one that said nothing is, it may be free."""
        entry = Entry("1", 5.0)
        self.assertIs(price_entry(entry, Asked()), entry)
        self.assertEqual(price_entry(Entry("1", 5.0, unknown=True), Asked(COSTS)).cost, "0.5")

    def test_saved(self) -> None:
        """An answer from the cache costs nothing, and says what it did not cost again."""
        entry = Entry("1", 5.0, saved=Counts(input_tokens=3, served_model="s"))
        pricer = Asked(COSTS)
        found = price_entry(entry, pricer)
        self.assertEqual((found.cost, found.cost_saved, found.book), ("0", "0.5", "b2"))
        self.assertEqual(pricer.asked[0][3], Usage(input_tokens=3, served_model="s"))
        self.assertEqual(price_entry(entry, Asked(None)).cost, "0")
        known = msgspec.structs.replace(entry, cost="0", cost_saved="9")
        self.assertEqual(price_entry(known, Asked(COSTS)).cost_saved, "0.5")
        self.assertIs(price_entry(known, Asked(None)), known)

    def test_lacks(self) -> None:
        """An entry lacks its price if something was used or saved, and no cost of that stands there."""
        for entry, expected in (
            (Entry("1", 5.0), False),
            (Entry("1", 5.0, unknown=True), True),
            (Entry("1", 5.0, images=0), True),
            (Entry("1", 5.0, seconds=1.5, cost="0"), False),
            (Entry("1", 5.0, saved=Counts(input_tokens=1), cost="0"), True),
            (Entry("1", 5.0, saved=Counts(input_tokens=1), cost="0", cost_saved="1"), False),
        ):
            with row(entry):
                self.assertEqual(lacks_price(entry), expected)

    def test_broken(self) -> None:
        """An object that cannot be read is none."""
        for raw in (b"{", b"[1]", b"\xff"):
            pricer = Asked(None)
            price_entry(Entry("1", 5.0, input_tokens=1, raw=raw), pricer)
            self.assertIsNone(pricer.asked[0][3].raw, raw)
