"""Tests for L{llmproxy.web.upstreamfamilies}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.upstreamreports import UpstreamReport
from llmproxy.web.upstreamfamilies import upstream_families


class FamiliesTests(SynchronousTestCase):
    def test_all(self) -> None:
        """The sum of all processes by API and upstream; one that is not counted is not there."""
        one = UpstreamReport(
            "openai", "azure", in_flight=1, requests=5, ejected=1, latency=0.5, retries=2, drained=True
        )
        alone = UpstreamReport("alone", "alone", counted=False)
        samples = {
            sample.name: (sample.labels, sample.value)
            for family in upstream_families([one, alone, one])
            for sample in family.samples
        }
        labels = {"api": "openai", "upstream": "azure"}
        for name, value in (
            ("in_flight", 2),
            ("ejected", 2),
            ("unwell", 0),
            ("drained", 1),
            ("latency_seconds", 0.5),
            ("keys_aside", 0),
            ("attempts_total", 10),
            ("failed_attempts_total", 0),
            ("ejections_total", 0),
            ("retries_total", 4),
            ("fallbacks_total", 0),
        ):
            self.assertEqual(samples[f"llmproxy_upstream_{name}"], (labels, value), name)

    def test_none(self) -> None:
        """Without several upstreams nothing is added to the page."""
        self.assertEqual(list(upstream_families([UpstreamReport("alone", "alone", counted=False)])), [])
