"""Tests for L{llmproxy.web.agents.telemetry}."""

from __future__ import annotations

import gzip
import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from llmproxy.config.agents import ClaudeConfig
from llmproxy.web.agents.telemetry import MAX_BODY, AgentTelemetry, Batch

from .agentcase import BEARER, AgentTestCase

JSON = {**BEARER, "Content-Type": "application/json"}
PROTOBUF = {**BEARER, "Content-Type": "application/x-protobuf"}


class AgentTelemetryTests(AgentTestCase):
    claude = ClaudeConfig(telemetry="drop")

    def setUp(self) -> None:
        super().setUp()
        self.batches: list[Batch] = []
        self.error: Exception | None = None
        access = self.memory.proxy.resource()._own.__self__._access  # type: ignore[attr-defined]
        self.resource.putChild(b"kept", AgentTelemetry(access, "logs", lambda: self.take))

    def take(self, batch: Batch) -> Deferred[None]:
        self.batches.append(batch)
        return succeed(None) if self.error is None else fail(self.error)

    def test_dropped(self) -> None:
        """What nobody wants is answered as if somebody did."""
        for path in ("/v1/metrics", "/v1/logs", "/anthropic/v1/traces"):
            got = self.ask("POST", path, headers=JSON, data=b"whatever")
            self.assertEqual((got.status, got.body, got.field("content-type")), (200, b"{}", "application/json"), path)
            got = self.ask("POST", path, headers=PROTOBUF, data=b"\x00")
            self.assertEqual((got.status, got.body, got.length), (200, b"", 0), path)
            self.assertEqual(got.field("content-type"), "application/x-protobuf", path)

    def test_kept(self) -> None:
        """It goes on with who has sent it."""
        self.ask("POST", "/kept", headers=PROTOBUF, data=b"abc")
        self.ask("POST", "/kept", headers={**JSON, "Content-Encoding": "gzip"}, data=gzip.compress(b"{}"))
        found = [(each.signal, each.content, each.protobuf, each.principal.project.id) for each in self.batches]
        self.assertEqual(found, [("logs", b"abc", True, "p-1"), ("logs", b"{}", False, "p-1")])

    def test_refused(self) -> None:
        """What is no telemetry, too much of it, or a stranger's."""
        self.error = ValueError("expected OTLP logs")
        bomb = gzip.compress(b"\0" * (MAX_BODY + 1))
        cases: list[tuple[dict[str, str], bytes, int]] = [
            (JSON, b"[]", 400),
            ({**BEARER, "Content-Type": "text/plain"}, b"x", 415),
            ({"Content-Type": "application/json"}, b"{}", 401),
            (JSON, b"x" * (MAX_BODY + 1), 413),
            ({**JSON, "Content-Encoding": "gzip"}, bomb, 413),
            ({**JSON, "Content-Encoding": "gzip"}, b"no gzip", 400),
        ]
        for headers, data, status in cases:
            got = self.ask("POST", "/kept", headers=headers, data=data)
            self.assertEqual(got.status, status, (headers, data[:20]))
            body: Any = json.loads(got.body)
            self.assertEqual(body["type"], "error", (headers, data[:20]))

    def test_other_method(self) -> None:
        self.assertEqual(self.ask("GET", "/v1/logs").status, 405)
