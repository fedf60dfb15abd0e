"""Rows of records of usage. What a database makes of them is in tests/contracts/usagerecords.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.store.usagerows import COLUMNS, clean, row_of, rows_of

from ..tables import row

DERIVED = {"settled_at", "grouped_model", "audio", "cost_rest", "cost_saved_rest"}


class RowTests(SynchronousTestCase):
    def test_all_members(self) -> None:
        """Every member of an entry has a column, so that nothing that was known is lost; what it claims is judged."""
        self.assertEqual(set(Entry.__struct_fields__) - {"seconds", "claims"}, set(COLUMNS) - DERIVED)
        self.assertEqual(len(row_of(Entry("1", 0.0), None, 0.0)), len(COLUMNS))

    def test_order(self) -> None:
        """Rows are in the order of their ids, so that no two processes wait for each other."""
        rows = rows_of([(Entry(each, 0.0), None) for each in "cab"], 0.0)
        self.assertEqual([each[0] for each in rows], ["a", "b", "c"])

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
