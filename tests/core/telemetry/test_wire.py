"""Tests for L{llmproxy.core.telemetry.wire}: the same as the SDK's encoder writes, field by field."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.telemetry.spans import SpanValue, spans_of
from llmproxy.core.telemetry.wire import trace_request

from ..events.samples import full_record

RESOURCE: dict[str, Any] = {"service.name": "llmproxy", "process.pid": 70_000, "empty": ""}
SCOPE = ("llmproxy", "1.0", "https://opentelemetry.io/schemas/1.36.0")
KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
SAMPLED = 1

IDS = st.integers(1, (1 << 64) - 1)
TIMES = st.integers(0, (1 << 63) - 1)
VALUES = (
    st.text(max_size=200)
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.lists(st.text(max_size=5), max_size=3)
)
SPANS = st.builds(
    SpanValue,
    st.text(max_size=300),
    st.sampled_from(sorted(KINDS)),
    IDS.map("{:032x}".format),
    IDS.map("{:016x}".format),
    st.just("") | IDS.map("{:016x}".format),
    st.booleans(),
    st.sampled_from(["", "a=1", "congo=t61rcWkgMzE,rojo=1"]),
    TIMES,
    TIMES,
    st.dictionaries(st.text(max_size=20), VALUES, max_size=6),
    st.booleans(),
    st.text(max_size=20),
)


def by_sdk(spans: list[SpanValue]) -> Any:
    """What OpenTelemetry's SDK makes of them, with the flag that a span is sampled, which it leaves out."""
    resource, scope = Resource(RESOURCE), InstrumentationScope(*SCOPE)
    flags = TraceFlags(TraceFlags.SAMPLED)
    made = []
    for span in spans:
        trace_id, state = int(span.trace_id, 16), TraceState.from_header([span.state] if span.state else [])
        parent = SpanContext(trace_id, int(span.parent_id, 16), span.remote, flags) if span.parent_id else None
        status = Status(StatusCode.ERROR, span.why or None) if span.error else Status(StatusCode.UNSET)
        made.append(
            ReadableSpan(
                span.name,
                SpanContext(trace_id, int(span.span_id, 16), False, flags, state),
                parent,
                resource,
                span.attributes,
                kind=KINDS[span.kind],
                status=status,
                start_time=span.start,
                end_time=span.end,
                instrumentation_scope=scope,
            )
        )
    request = encode_spans(made)
    for each in request.resource_spans:
        for one in each.scope_spans[0].spans:
            one.flags |= SAMPLED
            if not one.parent_span_id:
                one.flags &= ~0x200
    return request


def by_us(spans: list[SpanValue], longest: int | None = None) -> Any:
    return ExportTraceServiceRequest.FromString(trace_request(spans, RESOURCE, SCOPE, longest))


class WireTests(SynchronousTestCase):
    def assert_same(self, spans: list[SpanValue]) -> None:
        ours, theirs = by_us(spans), by_sdk(spans)
        for span in ours.resource_spans[0].scope_spans[0].spans:
            if not span.parent_span_id:
                span.flags &= ~0x200
            if span.HasField("status") is False:
                # One that is not set, and an empty one, say the same.
                span.status.SetInParent()
        self.assertEqual(ours, theirs)

    def test_exchange(self) -> None:
        """The spans of an exchange."""
        self.assert_same(spans_of(event_of_record(full_record(part_of=None)), "both"))

    @given(st.lists(SPANS, min_size=1, max_size=3))
    def test_any(self, spans: list[SpanValue]) -> None:
        """Any spans, with attributes of each type."""
        self.assert_same(spans)

    def test_longest(self) -> None:
        """Texts are cut, and nothing else."""
        (span,) = spans_of(event_of_record(full_record(calls=[])), "both")
        found = by_us([span], 4).resource_spans[0].scope_spans[0].spans[0].attributes
        values = {each.key: each.value for each in found}
        self.assertEqual(
            (values["url.path"].string_value, values["http.response.status_code"].int_value), ("/v1/", 200)
        )

    def test_half_a_pair(self) -> None:
        """Half a surrogate pair, which JSON can have, does not lose the others of its batch."""
        one, *_ = spans_of(event_of_record(full_record(user_agent="a\ud800b")), "both")
        found = by_us([one]).resource_spans[0].scope_spans[0].spans[0].attributes
        self.assertIn("a?b", [each.value.string_value for each in found])

    def test_many(self) -> None:
        """Texts that never come again do not stay."""
        from llmproxy.core.telemetry import wire

        base, *_ = spans_of(event_of_record(full_record()), "both")
        for number in range(wire._MOST_REMEMBERED + 10):
            base.attributes["user.id"] = str(number)
            trace_request([base], {}, SCOPE)
        self.assertLessEqual(len(wire._pairs), wire._MOST_REMEMBERED)
