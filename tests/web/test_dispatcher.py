"""What a dispatcher serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families
from treq.testing import StubTreq
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__
from llmproxy.core.events.dispatching import DispatchReport, health
from llmproxy.web.dispatcher import as_text, dispatcher_resource

from ..core.events.test_dispatching import BUSY
from ..tables import row


class DispatcherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reports: list[DispatchReport] = [BUSY]
        self.treq = StubTreq(
            dispatcher_resource(lambda: self.reports, lambda: health(self.reports, 1.0, BUSY.read_at, BUSY.read_at))
        )

    def ask(self, path: str, method: str = "GET") -> tuple[Any, bytes]:
        response = self.successResultOf(self.treq.request(method, f"http://127.0.0.1{path}"))
        return response, self.successResultOf(self.treq.content(response))

    def test_health(self) -> None:
        """Numbers in JSON, 503 where it is not healthy, and no cache keeps it."""
        response, body = self.ask("/health")
        self.assertEqual((response.code, json.loads(body)["version"]), (200, __version__))
        self.assertEqual(json.loads(body)["events_sent"], 6)
        self.assertEqual(response.headers.getRawHeaders("cache-control"), ["no-store"])
        self.reports = [evolve(BUSY, source_error="no Redis")]
        for path in ("/health", "/healthz"):
            response, body = self.ask(path)
            self.assertEqual((response.code, json.loads(body)["status"]), (503, "unhealthy"), path)

    def test_ready(self) -> None:
        """Ready, or why not."""
        self.assertEqual((self.ask("/ready")[0].code, self.ask("/readyz")[1]), (200, b"ready\n"))
        self.reports = [evolve(BUSY, sink_error="answered 503")]
        response, body = self.ask("/ready")
        self.assertEqual(response.code, 503)
        self.assertEqual(json.loads(body)["problems"], ["log: cannot deliver: answered 503"])

    def test_live(self) -> None:
        """Live whatever happens; the root says what there is."""
        self.reports = [evolve(BUSY, source_error="no Redis")]
        self.assertEqual(self.ask("/live")[1], b"alive\n")
        self.assertEqual(self.ask("/livez")[0].code, 200)
        self.assertIn(b"/metrics", self.ask("/")[1])

    def test_metrics(self) -> None:
        """Each number of each sink, by its name; what is not known is not said."""
        self.reports = [BUSY, DispatchReport("hook", "http", sink_error="x")]
        response, body = self.ask("/metrics")
        self.assertIn("text/plain; version=0.0.4", response.headers.getRawHeaders("content-type")[0])
        lines = body.decode().splitlines()
        for line in (
            'llmproxy_dispatcher_received_total{sink="log"} 10.0',
            'llmproxy_dispatcher_delivered_total{sink="log"} 6.0',
            'llmproxy_dispatcher_dead_total{sink="log"} 1.0',
            'llmproxy_dispatcher_passed_over_total{sink="log"} 1.0',
            'llmproxy_dispatcher_claimed_total{sink="log"} 3.0',
            'llmproxy_dispatcher_gone_total{sink="log"} 4.0',
            'llmproxy_dispatcher_failures_total{sink="log"} 7.0',
            'llmproxy_dispatcher_batches_total{sink="log"} 2.0',
            'llmproxy_dispatcher_held{sink="log"} 2.0',
            'llmproxy_dispatcher_pending{sink="log"} 5.0',
            'llmproxy_dispatcher_length{sink="log"} 100.0',
            'llmproxy_dispatcher_failing{side="deliver",sink="hook"} 1.0',
            'llmproxy_dispatcher_failing{side="read",sink="hook"} 0.0',
            f'llmproxy_build_info{{version="{__version__}"}} 1.0',
        ):
            self.assertIn(line, lines)
        self.assertFalse([line for line in lines if line.startswith('llmproxy_dispatcher_pending{sink="hook"')])

    def test_documented(self) -> None:
        """Each metric is in the documents."""
        page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
        for family in text_string_to_metric_families(as_text([BUSY]).decode()):
            if family.name.startswith("llmproxy_dispatcher_"):
                for name in {sample.name for sample in family.samples}:
                    self.assertIn(f"`{name}`", page, name)

    def test_only_reading(self) -> None:
        """Nothing else is there, and nothing can be changed."""
        for path, method, status in (("/x", "GET", 404), ("/health", "POST", 405), ("/health", "HEAD", 200)):
            with row(path, method):
                self.assertEqual(self.ask(path, method)[0].code, status)
