"""Tests of the settings of the ledger."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.settings import LedgerOptions, ledger_directory
from tests.tables import row


class LedgerOptionsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """A second of power, 90 days of records, a gibibyte that waits."""
        usual = LedgerOptions()
        self.assertEqual((usual.fsync, usual.keep_records, usual.most_waiting), (1.0, 7_776_000.0, 2**30))
        self.assertIsNone(usual.directory)

    def test_directory(self) -> None:
        """Beside the file of SQLite, where the configuration says, or below C{data}; nowhere for what is in memory."""
        for url, said, wanted in (
            (":memory:", None, None),
            ("sqlite://", "/srv/ledger", None),
            ("sqlite:///:memory:", None, None),
            ("llmproxy.db", None, "./ledger"),
            ("/var/lib/llmproxy.db", None, "/var/lib/ledger"),
            ("sqlite:///data/llmproxy.db", None, "data/ledger"),
            ("sqlite:////var/lib/llmproxy.db?x=y", None, "/var/lib/ledger"),
            ("sqlite:////var/lib/llmproxy.db", "/srv/ledger", "/srv/ledger"),
            ("postgresql://user@db/llm", None, "./data/ledger"),
            ("mysql://user@db/llm", "/srv/ledger", "/srv/ledger"),
        ):
            with row((url, said)):
                self.assertEqual(ledger_directory(said, url), wanted)
