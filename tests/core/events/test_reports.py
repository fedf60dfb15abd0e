"""Reports of sinks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.reports import SinkReport, summed


class SinkReportTests(SynchronousTestCase):
    def test_summed(self) -> None:
        """Workers together: numbers are added, of answers the latest is shown, and of faults any."""
        one = SinkReport("hook", "http", waiting=1, delivered=2, answer="200 old", delivered_at=5.0)
        other = SinkReport("hook", "http", failing=1, waiting=3, lost=1, error="down", answer="200", delivered_at=9.0)
        [both, log] = summed([one, SinkReport("log", "file"), other])
        self.assertEqual((both.processes, both.waiting, both.delivered, both.lost), (2, 4, 2, 1))
        self.assertEqual((both.answer, both.error, both.delivered_at), ("200", "down", 9.0))
        self.assertEqual((both.state, log.state, other.state), ("degraded", "ok", "failing"))
