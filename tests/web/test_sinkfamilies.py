"""Metrics of sinks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.reports import SinkReport
from llmproxy.web.sinkfamilies import sink_families


class SinkFamilyTests(SynchronousTestCase):
    def test_of_workers(self) -> None:
        """A number of all workers for each sink."""
        reports = [SinkReport("log", "file", delivered=2), SinkReport("log", "file", delivered=3, waiting=4, failing=1)]
        found = {
            (sample.name, sample.labels["sink"]): sample.value
            for family in sink_families(reports)
            for sample in family.samples
        }
        self.assertEqual(found["llmproxy_sink_delivered_total", "log"], 5)
        self.assertEqual((found["llmproxy_sink_waiting", "log"], found["llmproxy_sink_failing", "log"]), (4, 1))
        self.assertEqual(len(found), 9)

    def test_none(self) -> None:
        """Without a sink there are none."""
        self.assertEqual(list(sink_families([])), [])
