"""Tests of the settings of the ledger."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.settings import LedgerOptions


class LedgerOptionsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """A second of power, 90 days of records, a gibibyte that waits."""
        usual = LedgerOptions()
        self.assertEqual((usual.fsync, usual.keep_records, usual.most_waiting), (1.0, 7_776_000.0, 2**30))
        self.assertIsNone(usual.directory)
