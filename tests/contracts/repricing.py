"""What gives stored records other costs, whatever the database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import func, select

from llmproxy.core.ledger.entry import Counts, Entry
from llmproxy.core.prices import Priced, price_entry
from llmproxy.store import repricing
from llmproxy.store.repricing import Repricing, seen_models
from llmproxy.store.schema import usage_records
from llmproxy.usage import Usage

from ..store.databases import NOW
from ..usagereports import an_entry
from .usagerecords import UsageRecordsCase, expected_of, some_entries

UNSAID: dict[str, Any] = {"input_tokens": None, "output_tokens": None}

ALL = (0.0, NOW + 90 * 86_400)


class Doubled:
    """Prices by the token, so that every cost is another one; of the API C{local} nothing is known."""

    def __init__(self, cost: str = "0.000000000007") -> None:
        self.cost = Decimal(cost)

    def has_price(self, provider: str, api: str, model: str) -> bool:
        return api != "local"

    def price(self, provider: str, api: str, model: str, usage: Usage, at: float) -> Priced | None:
        if api == "local" or usage.input_tokens is None:
            return None
        return Priced(self.cost * usage.input_tokens, "book-2")


class RepricingContract(UsageRecordsCase):
    """Mixed into a test case that says how to C{open} a database."""

    def repriced(self, cost: str = "0.000000000007", *, write: bool, span: tuple[float, float] = ALL) -> Repricing:
        found = Repricing(Doubled(cost), *span)
        run = self.database.run if write else self.database.read
        after: Any = None
        while True:
            step = after
            _, after = self.done(run(lambda connection, at=step: found.step(connection, at, write=write)))
            if after is None:
                return found

    def costs(self) -> dict[str, tuple[str | None, str | None]]:
        return {entry.id: (entry.cost, entry.cost_saved) for entry in self.stored().values()}

    def test_repriced(self) -> None:
        """Records have the costs of today, and every roll-up is the sum of them still, for whichever batches."""
        entries = some_entries(7, 250)
        known = [msgspec.structs.replace(each, id=f"k{at}", status=200) for at, each in enumerate(entries[:40])]
        self.settle(known)
        self.settle(entries)
        self.patch(repricing, "BATCH", 37)  # type: ignore[attr-defined]
        expected = [price_entry(entry, Doubled()) for entry in known + entries]
        found = self.repriced(write=True)
        assert self.costs() == {entry.id: (entry.cost, entry.cost_saved) for entry in expected}
        assert self.rolled() == expected_of(expected)
        assert sum(change.exchanges for change in found.changes.values()) == len(expected)
        assert sum(change.after for change in found.changes.values()) == sum(Decimal(e.cost or 0) for e in expected)
        again = self.repriced(write=True)
        assert sum(change.changed for change in again.changes.values()) == 0
        assert self.rolled() == expected_of(expected)

    def test_only_shown(self) -> None:
        """What would change is shown, and nothing changes."""
        self.settle([an_entry(1, NOW, api="openai", served_model="m", input_tokens=10, cost="1")])
        before = self.costs(), self.rolled()
        found = self.repriced(write=False)
        change = found.changes["openai", "m"]
        assert (change.exchanges, change.changed) == (1, 1)
        assert (change.before, change.after) == (Decimal(1), Decimal("0.00000000007"))
        assert (self.costs(), self.rolled()) == before

    def test_span(self) -> None:
        """Only what has ended in the span; what has no price today keeps what it had, saved costs likewise."""
        saved = Counts(input_tokens=3)
        self.settle(
            [
                an_entry(1, NOW, api="openai", input_tokens=10, cost="1"),
                an_entry(2, NOW + 60, api="openai", input_tokens=10, cost="1"),
                an_entry(3, NOW, api="local", input_tokens=10, cost="1"),
                an_entry(4, NOW, api="openai", saved=saved, cost="0", cost_saved="5", **UNSAID),
                an_entry(5, NOW, api="openai", saved=saved, cost=None, **UNSAID),
                an_entry(6, NOW, api="local", saved=saved, cost="0", cost_saved="5", **UNSAID),
            ]
        )
        self.repriced("1", write=True, span=(NOW - 1, NOW + 60))
        found = {entry.id[-1]: (entry.cost, entry.cost_saved) for entry in self.stored().values()}
        plain = {"1": ("10", None), "2": ("1", None), "3": ("1", None)}
        assert found == {**plain, "4": ("0", "3"), "5": ("0", "3"), "6": ("0", "5")}, found

    def test_count(self) -> None:
        """What there is to look at, before it is done."""
        self.settle([an_entry(1, NOW), Entry("9", NOW, NOW)])
        count = self.done(self.database.read(lambda connection: Repricing(Doubled(), *ALL).count(connection)))
        assert count == 1

    def test_seen(self) -> None:
        """The models of a span: by the one that answered, else the one that was asked for."""
        self.settle(
            [
                an_entry(1, NOW, api="a", provider="openai", model="x", served_model="m", input_tokens=1, cost="1"),
                an_entry(2, NOW, api="a", provider="openai", model="m", served_model="", input_tokens=2, cost=None),
                an_entry(
                    3,
                    NOW,
                    api="a",
                    provider="",
                    model="y",
                    served_model="",
                    input_tokens=None,
                    output_tokens=None,
                    unknown=True,
                    cost=None,
                ),
                an_entry(4, NOW - 100, api="a", model="old", served_model=""),
                Entry("9", NOW, NOW, api="a", model="z"),
            ]
        )
        seen = self.done(self.database.read(lambda connection: seen_models(connection, NOW - 1, NOW + 1)))
        rows = [(each.provider, each.model, each.exchanges, each.unpriced, each.input_tokens) for each in seen]
        assert rows == [("openai", "m", 2, 1, 3), ("", "y", 1, 0, 0)], rows
        assert self.read(select(func.count()).select_from(usage_records))[0][0] == 5
