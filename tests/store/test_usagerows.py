"""Rows of records of usage. What a database makes of them is in tests/contracts/usagerecords.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.usagesums import numbers_of
from llmproxy.store.usagerows import COLUMNS, clean, numbers_in, row_of

from ..contracts.usagerecords import some_entries
from ..tables import row
from ..usagereports import an_entry
from .databases import NOW

DERIVED = {"settled_at", "grouped_model", "audio", "cost_rest", "cost_saved_rest"}


class RowTests(SynchronousTestCase):
    def test_all_members(self) -> None:
        """Every member of an entry has a column, so that nothing that was known is lost; what it claims is judged."""
        self.assertEqual(set(Entry.__struct_fields__) - {"seconds", "claims"}, set(COLUMNS) - DERIVED)
        self.assertEqual(len(row_of(Entry("1", 0.0), None, 0.0)), len(COLUMNS))

    def test_numbers(self) -> None:
        """What an exchange adds is the same of its row as of itself, whatever it has in it."""
        odd = {
            "cost": "-3",
            "seconds": float("inf"),
            "status": 10**12,
            "input_tokens": 10**30,
            "output_tokens": -(10**30),
        }
        strange = [an_entry(1, NOW, **odd), an_entry(2, NOW, cost="NaN", cost_saved="1e99", images=0), Entry("3", 0.0)]
        for entry in (*some_entries(9, 300), *strange):
            with row(entry):
                self.assertEqual(numbers_in(row_of(entry, None, 0.0)), numbers_of(entry))

    def test_clean(self) -> None:
        """What no database takes is taken out; everything else stays as it is."""
        for text, expected in (
            ("plain", "plain"),
            ("späť 東京 🙂", "späť 東京 🙂"),
            ("a\0b", "ab"),
            ("\ud800x", "?x"),
            ("line\nline", "line\n"),
            ("", ""),
        ):
            with row(text):
                self.assertEqual(clean(text, 5), expected[:5])
