"""Tests for L{llmproxy.web.metrics}."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from llmproxy.core.circuits import CircuitState
from llmproxy.sinks.metrics import ProxyMetrics, cumulative
from llmproxy.usage import Usage
from llmproxy.web.metrics import MetricsResource, prefers_json
from tests.sinks.records import a_record


class MetricsResourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.metrics = ProxyMetrics(started_at=100.0)
        counted = Usage(input_tokens=9, output_tokens=11, served_model="m")
        record = a_record(usage=counted, streamed_for=1.0, first_token=0.2, cost=Decimal("0.25"))
        self.metrics.record_batch([record, a_record(status=429, error_code="rate_limit_exceeded", ended="refused")])
        self.metrics.cache["hit"] = 5
        self.metrics.gauge("llmproxy_in_flight", "Running.", lambda: 7)
        self.metrics.counter("llmproxy_lost_log_lines", "Lost.", lambda: 3)
        self.metrics.refused("header_timeout")
        self.metrics.warnings["soft", "token"] = 2

    def ask(self, accept: str | None = None, path: str = "/metrics", method: str = "GET") -> tuple[Any, bytes]:
        def collect() -> Deferred[ProxyMetrics]:
            return succeed(self.metrics)

        root = Resource()
        root.putChild(b"metrics", MetricsResource(lambda: 160.5, collect, cumulative))
        treq = StubTreq(root)
        headers = {} if accept is None else {"Accept": accept}
        response = self.successResultOf(treq.request(method, "http://proxy.example" + path, headers=headers))
        return response, self.successResultOf(treq.content(response))

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        _, body = self.ask()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def test_text(self) -> None:
        """What Prometheus scrapes parses, with the reference's names and our labels."""
        samples = self.samples()
        labels = (
            ("api", "openai"),
            ("endpoint", "/v1/chat/completions"),
            ("method", "POST"),
            ("status_class", "4xx"),
        )
        self.assertEqual(samples["llm_proxy_requests_total", ()], 2)
        self.assertEqual(samples["llm_proxy_errors_total", ()], 1)
        self.assertEqual(samples["llm_proxy_cache_hits_total", ()], 5)
        self.assertEqual(samples["llm_proxy_uptime_seconds", ()], 60.5)
        self.assertEqual(samples["llmproxy_requests_total", labels], 1)
        self.assertEqual(samples["llmproxy_request_duration_seconds_count", labels], 1)
        self.assertEqual(
            samples["llmproxy_request_duration_seconds_bucket", (*labels[:1], labels[1], ("le", "0.025"), *labels[2:])],
            1,
        )
        self.assertEqual(
            samples["llmproxy_error_answers_total", (("api", "openai"), ("code", "rate_limit_exceeded"))], 1
        )
        self.assertEqual(samples["llmproxy_refused_total", (("reason", "header_timeout"),)], 1)
        self.assertEqual(samples["llmproxy_in_flight", ()], 7)
        labels = (("api", "openai"), ("model", "m"), ("type", "input"))
        self.assertEqual(samples["llmproxy_tokens_total", labels], 9)
        self.assertEqual(samples["llmproxy_cost_usd_total", (("api", "openai"), ("model", "m"))], 0.25)
        self.assertEqual(samples["llmproxy_time_to_first_token_seconds_count", labels[:1]], 1)
        self.assertEqual(samples["llmproxy_time_between_tokens_seconds_sum", labels[:1]], 0.1)
        self.assertEqual(samples["llmproxy_lost_log_lines_total", ()], 3)
        self.assertEqual(samples["llmproxy_budget_warnings_total", (("per", "token"), ("share", "soft"))], 2)
        self.assertIn(("process_resident_memory_bytes", ()), samples)

    def test_circuits(self) -> None:
        """The state of the breaker by API, also of one that never had trouble; labels are ours alone."""
        state = CircuitState("openai", "p-1", "m", "open", 5, "status 503", 12.0, 1)
        self.metrics.openings.update(openai=2, quiet=0)
        self.metrics.circuits = lambda: [state, evolve(state, model="n"), evolve(state, state="closed")]
        samples = self.samples()
        for api, name, value in (("openai", "open", 2), ("openai", "half_open", 0), ("quiet", "open", 0)):
            self.assertEqual(samples["llmproxy_circuits", (("api", api), ("state", name))], value, (api, name, value))
        self.assertEqual(samples["llmproxy_circuit_openings_total", (("api", "openai"),)], 2)

    def test_token(self) -> None:
        """Where a token is set, nobody reads a number without it, in either form."""
        root = Resource()
        collect = lambda: succeed(self.metrics)  # noqa: E731
        root.putChild(b"metrics", MetricsResource(lambda: 160.5, collect, cumulative, token="scrape-canary"))
        treq = StubTreq(root)
        table = {
            None: 401,
            "Bearer scrape-canary": 200,
            "bearer  scrape-canary ": 200,
            "Bearer scrape-canar": 401,
            "Bearer scrape-canaryx": 401,
            "Basic scrape-canary": 401,
            "scrape-canary": 401,
            "Bearer": 401,
            "Bearer ": 401,
        }
        for shown, status in table.items():
            headers = {} if shown is None else {"Authorization": shown}
            for method in ("GET", "HEAD"):
                response = self.successResultOf(treq.request(method, "http://p.example/metrics", headers=headers))
                body = self.successResultOf(treq.content(response))
                self.assertEqual(response.code, status, shown)
                self.assertEqual(b"llm_proxy" in body, status == 200 and method == "GET", method)
                self.assertNotIn(b"canary", body)
            if status == 401:
                challenge = response.headers.getRawHeaders("www-authenticate")
                self.assertEqual(challenge, ['Bearer realm="llmproxy metrics"'], (shown, status))

    def test_content_type(self) -> None:
        """The text says which format it has."""
        response, _ = self.ask()
        self.assertEqual(response.headers.getRawHeaders("content-type"), ["text/plain; version=0.0.4; charset=utf-8"])

    def test_json(self) -> None:
        """The reference's seven numbers for those who ask for JSON."""
        response, body = self.ask("application/json")
        self.assertEqual(response.headers.getRawHeaders("content-type"), ["application/json"])
        self.assertEqual(
            json.loads(body),
            {
                "uptime_seconds": 60.5,
                "request_count": 2,
                "error_count": 1,
                "cache_hits": 5,
                "cache_misses": 0,
                "cache_bypass": 0,
                "cache_stores": 0,
            },
        )

    def test_head(self) -> None:
        """HEAD has no content."""
        self.assertEqual(self.ask(method="HEAD")[1], b"")

    def test_accept(self) -> None:
        """Prometheus' own Accept, or none, means text."""
        for accept, expected in (
            (None, False),
            (b"*/*", False),
            (b"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", False),
            (b"application/json", True),
            (b"Application/JSON, */*", True),
        ):
            self.assertIs(prefers_json(accept), expected, accept)
