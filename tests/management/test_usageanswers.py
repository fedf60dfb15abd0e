"""What is said of usage."""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Counts, Entry
from llmproxy.core.reports import SUMS, UsageQuestion, UsageReport, UsageRow, UsageSums
from llmproxy.management.usageanswers import RECORD, plain, plain_record

from ..tables import row
from ..usagereports import an_entry


class ReportTests(SynchronousTestCase):
    def test_keys_first(self) -> None:
        """A row begins with what it is of, in the order that was asked for, then come the sums."""
        question = UsageQuestion(("project", "day", "tag:team"))
        keys = {"project": "p-1", "day": "2026-01-31", "tag:team": None}
        report = UsageReport([UsageRow(keys, UsageSums(requests=1, cost=Decimal("1E-7")))], since=0.0, more=2)
        said = plain(question, report, {"project": {"p-1": "search"}})
        (shown,) = said["data"]
        self.assertEqual(tuple(shown), ("project_id", "project_name", "day", "tag:team", *SUMS))
        self.assertEqual((shown["project_name"], shown["tag:team"], shown["cost"]), ("search", None, "0.0000001"))
        self.assertEqual((said["from"], said["to"], said["more"]), ("1970-01-01T00:00:00Z", None, 2))


class RecordTests(SynchronousTestCase):
    def test_members(self) -> None:
        """What is not known is null, never 0 and never an empty text."""
        for entry, member, value in (
            (Entry("a", 0.0), "ended_at", None),
            (Entry("a", 0.0), "model", None),
            (Entry("a", 0.0), "input_tokens", None),
            (Entry("a", 0.0), "status", 0),
            (Entry("a", 0.0), "saved", None),
            (an_entry(1, 1.5), "ended_at", "1970-01-01T00:00:01.500000Z"),
            (an_entry(1, 1.5, input_tokens=0), "input_tokens", 0),
            (an_entry(1, 1.5, cost="0.10"), "cost", "0.10"),
            (an_entry(1, 1.5, raw=b"{"), "raw", None),
            (an_entry(1, 1.5, raw=b'{"a":[1]}'), "raw", {"a": [1]}),
        ):
            with row(self, entry, member):
                said = plain_record(entry)
                self.assertEqual(said[member], value)
                self.assertEqual(tuple(said), RECORD)

    def test_saved(self) -> None:
        """What an answer from the cache had used is an object with names."""
        self.assertEqual(plain_record(an_entry(1, 1.0, saved=Counts(5)))["saved"]["input_tokens"], 5)
