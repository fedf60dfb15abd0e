"""Tests for L{llmproxy.app.pricedrecords}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy.app.pricedrecords import PricedRecords
from llmproxy.core.ledger.entry import Entry
from llmproxy.core.prices import Priced
from llmproxy.interfaces import IUsageRecords
from llmproxy.usage import Usage


@implementer(IUsageRecords)
class Kept:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def settle(self, batch: Sequence[Entry]) -> Deferred[Any]:
        self.entries += batch
        return succeed(len(batch))


class Pricer:
    def has_price(self, provider: str, api: str, model: str) -> bool:
        return api != "none"

    def price(self, provider: str, api: str, model: str, usage: Usage, at: float) -> Priced | None:
        if api == "broken":
            raise OSError("no book")
        return Priced(Decimal(usage.input_tokens or 0), "b") if api == "known" else None


class PricedRecordsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.kept, self.runs = Kept(), 0
        self.records = PricedRecords(self.kept, Pricer, self.run_it)
        verifyObject(IUsageRecords, self.records)

    def run_it(self, call: Callable[[], Any]) -> Deferred[Any]:
        self.runs += 1
        return maybeDeferred(call)

    def costs(self, *entries: Entry) -> list[str | None]:
        self.kept.entries.clear()
        self.successResultOf(self.records.settle(entries))
        return [entry.cost for entry in self.kept.entries]

    def test_looked_up(self) -> None:
        """What ended without its cost has it in the database, if a price is known; in the order in which it came."""
        entries = [Entry(str(n), 1.0, api=api, input_tokens=n) for n, api in enumerate(("known", "other", "known"))]
        self.assertEqual(self.costs(*entries), ["0", None, "2"])

    def test_at_hand(self) -> None:
        """What has its cost keeps it, and nobody waits for a thread."""
        self.assertEqual(
            self.costs(Entry("1", 1.0, api="known", input_tokens=5, cost="7"), Entry("2", 1.0)), ["7", None]
        )
        self.assertEqual(self.runs, 0)

    def test_broken(self) -> None:
        """A book that cannot be read keeps nothing from the database."""
        self.assertEqual(
            self.costs(*(Entry(api, 1.0, api=api, input_tokens=1) for api in ("broken", "known"))), [None, "1"]
        )
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
