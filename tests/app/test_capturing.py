"""Tests for L{llmproxy.app.capturing}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.capturing import Capturing
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.capture import CaptureConfig
from llmproxy.core.masking import Masking
from llmproxy.sinks.metrics import ProxyMetrics


class CapturingTests(SynchronousTestCase):
    def test_apis(self) -> None:
        """Where no API is captured there is no middleware."""
        capturing = Capturing(Clock(), Masking())
        for capture, is_there in ((None, False), (CaptureConfig(enabled=False), False), (CaptureConfig(), True)):
            config = APIConfig({"a": APIProviderConfig("http://a", ("/v1",), ("GET",), capture=capture)}, "a")
            self.assertEqual(capturing.middleware(config.routing_table().apis) is not None, is_there, capture)

    def test_metrics(self) -> None:
        """What was captured, and what was not, stands in the metrics."""
        capturing, metrics = Capturing(Clock(), Masking()), ProxyMetrics(0.0)
        capturing.show(metrics)
        capturing.held.captured, capturing.held.overload = 7, 2
        shown = {name: value() for name, (_, value) in (*metrics.gauges.items(), *metrics.counters.items())}
        self.assertEqual(
            shown,
            {
                "llmproxy_capture_bytes": 0,
                "llmproxy_capture_exchanges": 7,
                "llmproxy_capture_opted_out": 0,
                "llmproxy_capture_overload": 2,
                "llmproxy_capture_unredacted": 0,
            },
        )
