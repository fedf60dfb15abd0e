"""What an exchange adds to each sum."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.usagesums import MOST, NUMBERS, amount, micros, money_of, numbers_of, sums_of, whole

from ..properties import examples
from ..tables import row


class MoneyTests(SynchronousTestCase):
    @settings(max_examples=examples(200), deadline=None)
    @given(st.decimals(-(10**9), 10**9, places=12))
    def test_exact(self, value: Decimal) -> None:
        """Every amount to the 12th decimal comes back as it was, whatever was added to it meanwhile."""
        found = money_of(format(value, "f"))
        assert found is not None
        assert amount(*found) == value
        other = money_of("0.999999999999")
        assert other is not None
        assert amount(found[0] + other[0], found[1] + other[1]) == value + Decimal("0.999999999999")

    def test_written(self) -> None:
        """Texts that are amounts, and those that are none or more than anybody pays."""
        for text, expected in (
            ("0", (0, 0)),
            ("0.0000000000005", (0, 0)),
            ("0.0000000000015", (0, 2)),
            ("-0.5", (-500_000, 0)),
            ("1E+3", (10**9, 0)),
            ("NaN", None),
            ("Infinity", None),
            ("1e400", None),
            ("12345678901234567890", None),
            ("cheap", None),
            ("", None),
            (None, None),
        ):
            with row(text):
                self.assertEqual(money_of(text), expected)


class NumberTests(SynchronousTestCase):
    def test_bounds(self) -> None:
        """Numbers that nobody counted to do not overflow."""
        self.assertEqual([whole(None), whole(-(2**80)), whole(2**80), whole(7)], [None, -MOST, MOST, 7])
        self.assertEqual(
            [micros(None), micros(float("nan")), micros(float("inf")), micros(1.5)],
            [None, None, MOST * 1_000_000, 1_500_000],
        )

    def test_of_entries(self) -> None:
        """What is not known adds nothing; what was counted without a price is counted as such."""
        hit = {"ending": "complete", "cache": "hit", "cost": "0", "cost_saved": "0.5"}
        flags = {"unknown": True, "estimated": True, "truncated": True}
        for changes, expected in (
            ({"ending": "complete", "status": 200}, {}),
            ({}, {"errors": 1}),
            ({"ending": "complete", "status": 404}, {"errors": 1}),
            ({"ending": "client_left", "status": 200}, {"errors": 1}),
            (hit, {"cache_hits": 1, "cost_saved": Decimal("0.5")}),
            (
                {"ending": "complete", "input_tokens": 3, "seconds": 0.25},
                {"input_tokens": 3, "seconds": 0.25, "unpriced": 1},
            ),
            ({"ending": "complete", "input_tokens": 3, "cost": "0"}, {"input_tokens": 3}),
            ({"ending": "complete", **flags}, flags),
        ):
            with row(changes):
                sums = sums_of(numbers_of(Entry("1", 0.0, 1.0, **changes)))
                found = {name: getattr(sums, name) for name in sums.__slots__ if name != "__weakref__"}
                self.assertEqual({name: value for name, value in found.items() if value}, {"requests": 1, **expected})
        priced = [
            dict(zip(NUMBERS, numbers_of(Entry("1", 0.0, input_tokens=1, cost=cost)), strict=True))
            for cost in (None, "0")
        ]
        self.assertEqual([each["unpriced"] for each in priced], [1, 0])
