"""Tests for L{llmproxy.app.agenttelemetry}."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from llmproxy.app.agenttelemetry import AgentTelemetrySink, event_of, read
from llmproxy.core.events import Event
from llmproxy.message import Principal, Project, Token
from llmproxy.sinks.eventbus import EventBus
from llmproxy.web.agents.access import Caller
from llmproxy.web.agents.telemetry import Batch

TRACES: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "session.id", "value": {"stringValue": "s-1"}}]},
            "scopeSpans": [
                {"spans": [{"traceId": "0a" * 16, "spanId": "0b" * 8, "name": "turn", "startTimeUnixNano": "5"}]}
            ],
        }
    ]
}
PRINCIPAL = Principal(Token("t1", "hash", "sk-...", "p1", None), Project("p1", "One"))


def batch(content: bytes, protobuf: bool = False) -> Batch:
    return Batch("traces", content, protobuf, PRINCIPAL, Caller("u1", "a@x.example"), "192.0.2.1", "claude-cli/2.1 (x)")


class _Events:
    """Those of a proxy, as far as telemetry needs them."""

    def __init__(self, *kinds: str) -> None:
        self.bus = EventBus(Clock())
        self._kinds = kinds

    def wants(self, kind: str) -> bool:
        return kind in self._kinds


class ReadTests(SynchronousTestCase):
    def test_json(self) -> None:
        self.assertEqual(read("traces", json.dumps(TRACES).encode(), protobuf=False), TRACES)

    def test_protobuf(self) -> None:
        """Both notations come to the same, ids in hexadecimal digits."""
        try:
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        except ImportError:
            raise SkipTest("opentelemetry-proto is not installed") from None
        message = ExportTraceServiceRequest()
        resource = message.resource_spans.add()
        attribute = resource.resource.attributes.add()
        attribute.key, attribute.value.string_value = "session.id", "s-1"
        span = resource.scope_spans.add().spans.add()
        span.trace_id, span.span_id, span.name, span.start_time_unix_nano = b"\n" * 16, b"\x0b" * 8, "turn", 5
        self.assertEqual(read("traces", message.SerializeToString(), protobuf=True), TRACES)
        self.assertRaises(ValueError, read, "traces", b"\xff\xff\xff", protobuf=True)

    def test_none(self) -> None:
        for content in (b"", b"[]", b'{"resourceSpans": 1}', b"\xff", b"[" * 100_000):
            self.assertRaises(ValueError, read, "traces", content, protobuf=False)


class EventOfTests(SynchronousTestCase):
    def test_signed(self) -> None:
        """The event says who, and so does what is passed on."""
        event = event_of(batch(b""), read("traces", json.dumps(TRACES).encode(), protobuf=False), 5.0)
        self.assertEqual((event.kind, event.user, event.session), ("agent.traces", "a@x.example", "s-1"))
        self.assertEqual((event.token_id, event.project_id, event.program), ("t1", "p1", "claude-code"))
        assert event.details is not None
        attributes = event.details["otlp"]["resourceSpans"][0]["resource"]["attributes"]
        named = {each["key"]: each["value"]["stringValue"] for each in attributes}
        self.assertEqual(named["llmproxy.person.id"], "u1")
        self.assertEqual(named["llmproxy.session.id"], "s-1")


class AgentTelemetrySinkTests(SynchronousTestCase):
    def test_published(self) -> None:
        events, found = _Events("agent.traces"), list[Event]()
        sizes: list[int] = []

        def take(batch: Any, its: Any = None) -> None:
            found.extend(batch)
            sizes.extend(its)

        events.bus.subscribe(take)
        sink = AgentTelemetrySink(events, maybeDeferred, lambda: 5.0)  # type: ignore[arg-type]
        self.successResultOf(sink.take(batch(json.dumps(TRACES).encode())))
        self.assertEqual([each.kind for each in found], ["agent.traces"])
        self.assertGreater(sizes[0], 500)
        self.failureResultOf(sink.take(batch(b"?")), ValueError)
        self.assertEqual((sink.wants("traces"), sink.wants("logs")), (True, False))
