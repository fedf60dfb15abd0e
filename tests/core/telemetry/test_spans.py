"""Tests for L{llmproxy.core.telemetry.spans}."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.encoding import decode, encode
from llmproxy.core.events.event import AttemptMade, Content
from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.telemetry.spans import SpanValue, answering, is_kept, nanoseconds, spans_of

from ...tables import row
from ..events.samples import TIME, TRACE, event, full_record

START = 1_796_000_000_250_000_000
MS = 1_000_000


def only(spans: list[SpanValue]) -> SpanValue:
    (span,) = spans
    return span


class ExchangeTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """An exchange with a failed call and one that answered: ids, times and kinds of its three spans."""
        spans = spans_of(event_of_record(full_record(part_of=None)), "both")
        self.assertEqual(
            [(each.name, each.kind, each.span_id, each.parent_id, each.remote) for each in spans],
            [
                ("POST /v1/chat/completions", "server", TRACE.span_id, TRACE.parent_id, True),
                ("chat fast", "client", "c" * 16, TRACE.span_id, False),
                ("chat gpt-5", "client", "d" * 16, TRACE.span_id, False),
            ],
        )
        self.assertEqual({(each.trace_id, each.state) for each in spans}, {(TRACE.trace_id, "a=1")})
        self.assertEqual(
            [(each.start - START, each.end - START) for each in spans],
            [(0, 1500 * MS), (100 * MS, 200 * MS), (200 * MS, 1000 * MS)],
        )
        self.assertEqual([each.error for each in spans], [False, True, False])

    def test_server_attributes(self) -> None:
        """What is said of an exchange."""
        server = spans_of(event_of_record(full_record(part_of=None)), "both")[0]
        self.assertEqual(
            server.attributes,
            {
                "http.request.method": "POST",
                "http.response.status_code": 200,
                "http.request.body.size": 100,
                "http.response.body.size": 200,
                "http.route": "/v1/chat/completions",
                "url.path": "/v1/chat/completions",
                "url.scheme": "https",
                "network.protocol.name": "http",
                "network.protocol.version": "1.1",
                "client.address": "192.0.2.1",
                "user_agent.original": "openai/1",
                "user.id": "u-1",
                "session.id": "s-1",
                "llmproxy.request_id": "r-1",
                "llmproxy.event_id": "00000000000000000000000000000001",
                "llmproxy.api": "openai",
                "llmproxy.project_id": "p-1",
                "llmproxy.token_id": "t-1",
                "llmproxy.person_id": "o-1",
                "llmproxy.ended": "complete",
                "llmproxy.error_code": "none",
                "llmproxy.cause": "reset",
                "llmproxy.cache": "fwd=miss",
                "llmproxy.upstream": "east",
                "llmproxy.program": "codex",
                "llmproxy.attempts": 2,
                "llmproxy.model": "fast",
                "llmproxy.cost_saved": 0.5,
                "llmproxy.first_byte": 0.25,
                "llmproxy.tag.team": "search",
                "llmproxy.metadata.run": "7",
                "llmproxy.more": 1,
            },
        )

    def test_of_a_stream(self) -> None:
        """An event that went through a stream, to a dispatcher, makes the same spans."""
        made = event_of_record(full_record(part_of=None))
        self.assertEqual(spans_of(decode(encode(made)), "both"), spans_of(made, "both"))

    def test_call_attributes(self) -> None:
        """What is said of calls: the usage and the answer are those of the one that answered."""
        _, failed, answered = spans_of(event_of_record(full_record(part_of=None)), "both")
        common = {
            "http.request.method": "POST",
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.provider.name": "openai",
            "llmproxy.api": "openai",
        }
        self.assertEqual(
            failed.attributes,
            {
                **common,
                "gen_ai.request.model": "fast",
                "server.address": "w.example",
                "server.port": 443,
                "error.type": "reset",
                "llmproxy.upstream": "west",
            },
        )
        self.assertEqual(
            answered.attributes,
            {
                **common,
                "gen_ai.request.model": "gpt-5",
                "server.address": "e.example",
                "server.port": 8443,
                "http.response.status_code": 200,
                "http.request.resend_count": 1,
                "llmproxy.upstream": "east",
                "llmproxy.first_byte": 0.1,
                "gen_ai.response.model": "gpt-5-2026",
                "gen_ai.response.id": "chatcmpl-1",
                "gen_ai.conversation.id": "s-1",
                "gen_ai.request.stream": True,
                "gen_ai.response.time_to_first_chunk": 0.5,
                "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.output_tokens": 20,
                "gen_ai.usage.cache_read.input_tokens": 4,
                "gen_ai.usage.cache_write.input_tokens": 2,
                "gen_ai.usage.cache_creation.input_tokens": 2,
                "gen_ai.usage.reasoning.output_tokens": 5,
                "gen_ai.usage.audio.input_tokens": 1,
                "gen_ai.usage.audio.output_tokens": 3,
                "llmproxy.usage_estimated": True,
                "llmproxy.usage_truncated": True,
                "llmproxy.cost": 0.012,
            },
        )

    def test_versions(self) -> None:
        """Each version of the conventions has its own names, and none of the other's."""
        made = event_of_record(full_record(part_of=None))
        legacy, latest = (set(spans_of(made, semconv)[2].attributes) for semconv in ("legacy", "latest"))  # type: ignore[arg-type]
        self.assertEqual(legacy - latest, {"gen_ai.system", "gen_ai.usage.cache_creation.input_tokens"})
        self.assertEqual(
            latest - legacy,
            {
                "gen_ai.provider.name",
                "gen_ai.usage.cache_write.input_tokens",
                "gen_ai.usage.audio.input_tokens",
                "gen_ai.usage.audio.output_tokens",
                "gen_ai.response.time_to_first_chunk",
            },
        )
        self.assertEqual(set(spans_of(made, "both")[2].attributes), legacy | latest)

    def test_content(self) -> None:
        """What was said is there where it was kept, in the span of the call that answered."""
        content = Content(request_body={"messages": [{"role": "user", "content": "Hi"}]})
        _, failed, answered = spans_of(event_of_record(full_record(), content=content), "both")
        self.assertIn("gen_ai.input.messages", answered.attributes)
        self.assertNotIn("gen_ai.input.messages", failed.attributes)
        self.assertNotIn("Hi", repr(answered))

    def test_nothing_counted(self) -> None:
        """A usage that nobody has said is no 0; what was 0 is."""
        call = AttemptMade(api="openai", status=200)
        for count, expected in ((None, set()), (0, {"gen_ai.usage.output_tokens"})):
            span = spans_of(event(attempts_made=[call], output_tokens=count), "legacy")[1]
            self.assertEqual({name for name in span.attributes if "usage" in name}, expected, count)

    def test_fetched_again(self) -> None:
        """A response that is fetched again has used nothing anew."""
        call = AttemptMade(api="openai", status=200)
        made = event(method="GET", path="/v1/responses/r-1", attempts_made=[call], output_tokens=5)
        span = spans_of(made, "legacy")[1]
        self.assertEqual((span.name, span.attributes.get("gen_ai.usage.output_tokens")), ("fetch_response", None))


class EndingTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What is an error of a server's, of which type; a request that is refused is none, nor one that was left."""
        rows: tuple[tuple[dict[str, Any], bool, str | None, str], ...] = (
            ({"status": 200, "ended": "complete"}, False, None, ""),
            ({"status": 404, "ended": "complete"}, False, None, ""),
            ({"status": 401, "ended": "refused", "error_code": "invalid_token"}, False, None, ""),
            ({"status": 499, "ended": "client_left"}, False, "client_left", ""),
            ({"status": 200, "ended": "client_left"}, False, "client_left", ""),
            ({"status": 503, "ended": "complete"}, True, "503", ""),
            ({"status": 502, "ended": "upstream_failed", "cause": "reset"}, True, "502", ""),
            (
                {"status": 200, "ended": "upstream_failed", "cause": "cut_short"},
                True,
                "cut_short",
                "upstream_failed: cut_short",
            ),
            ({"status": 200, "ended": "revoked"}, True, "revoked", "revoked"),
        )
        for values, error, kind, why in rows:
            with row(values):
                span = only(spans_of(event(**values), "both"))
                self.assertEqual((span.error, span.attributes.get("error.type"), span.why), (error, kind, why))

    def test_calls(self) -> None:
        """A call has failed with a status from 400 on, or with its cause."""
        for values, kind in (
            ({"status": 200}, None),
            ({"status": 429}, "429"),
            ({"status": 500, "cause": "cancelled"}, "500"),
            ({"cause": "refused"}, "refused"),
            ({"status": 200, "cause": "reset"}, "reset"),
        ):
            span = spans_of(event(attempts_made=[AttemptMade(**values)]), "both")[1]
            self.assertEqual((span.attributes.get("error.type"), span.error), (kind, kind is not None), values)

    def test_answering(self) -> None:
        """The answer is that of the last call that was not given up."""
        good, bad, beside = AttemptMade(status=200), AttemptMade(status=503), AttemptMade(status=200, cause="cancelled")
        none = AttemptMade(cause="reset")
        for calls, expected in (
            ([good], 0),
            ([bad, good], 1),
            ([good, beside], 0),
            ([none, none], 1),
            ([beside], 0),
            ([bad, none], 0),
        ):
            self.assertEqual(answering(calls), expected, calls)


class NotTracedTests(SynchronousTestCase):
    def test_ids(self) -> None:
        """Of an event that nobody has traced the ids are the same each time, and those of no other."""
        first, again, other = (
            spans_of(event(number, attempts_made=[AttemptMade()] * 2), "both") for number in (1, 1, 2)
        )
        self.assertEqual(first, again)
        ids = {each.span_id for each in (*first, *other)}
        self.assertEqual((len(ids), {len(each) for each in ids}), (6, {16}))
        self.assertNotEqual(first[0].trace_id, other[0].trace_id)
        self.assertEqual((len(first[0].trace_id), first[0].parent_id), (32, ""))

    def test_one_call(self) -> None:
        """Where calls were not noted the exchange says of the one that answered what it knows."""
        made = event(attempts=1, upstream="east", upstream_status=200, upstream_first_byte_ms=20.0, duration_ms=50.0)
        server, call = spans_of(made, "both")
        self.assertEqual((call.start, call.end, call.parent_id), (server.start, server.end, server.span_id))
        self.assertEqual(call.attributes["llmproxy.upstream"], "east")

    def test_tried(self) -> None:
        """Those that were tried before it are known by how long they took."""
        tried = [{"upstream": "west", "status": 503, "took": 10.0}, {"upstream": "east", "status": 200, "took": 5.0}]
        made = event(attempts=2, upstream="east", upstream_status=200, duration_ms=50.0, details={"tried": tried})
        server, west, east = spans_of(made, "both")
        self.assertEqual(
            [(each.start - server.start, each.end - server.start) for each in (west, east)],
            [(0, 10 * MS), (10 * MS, 50 * MS)],
        )
        self.assertEqual(west.attributes["error.type"], "503")

    def test_no_call(self) -> None:
        """What the cache has answered, or was refused, called nobody."""
        only(spans_of(event(cache="hit"), "both"))

    def test_kept(self) -> None:
        """The spans of a trace that its caller does not keep are not kept here either."""
        for sampled, expected in ((None, True), (True, True), (False, False)):
            self.assertEqual(is_kept(event(trace_sampled=sampled)), expected, sampled)

    def test_background(self) -> None:
        """What the cache asks anew for nobody stands below the exchange that made it do so."""
        made = event(
            trace_id="a" * 32,
            span_id="b" * 16,
            parent_span_id="c" * 16,
            details={"background": "revalidation"},
            attempts_made=[AttemptMade(span_id="d" * 16)],
        )
        span, call = spans_of(made, "both")
        self.assertEqual(
            (span.name, span.kind, span.parent_id, span.remote), ("cache revalidation", "internal", "b" * 16, False)
        )
        self.assertNotEqual(span.span_id, "b" * 16)
        self.assertEqual(call.parent_id, span.span_id)

    def test_another_trace(self) -> None:
        """A call that was made for somebody who left stays in their trace."""
        call = AttemptMade(trace_id="e" * 32, parent_span_id="f" * 16, start_ms=-5.0)
        server, span = spans_of(event(trace_id="a" * 32, span_id="b" * 16, attempts_made=[call]), "both")
        self.assertEqual((span.trace_id, span.parent_id, span.start), ("e" * 32, "f" * 16, server.start - 5 * MS))


class ValueTests(SynchronousTestCase):
    def test_nanoseconds(self) -> None:
        """A moment to the microsecond, whatever its zone; one without is UTC."""
        moment = datetime(2026, 11, 30, 12, 0, 0, 123457, timezone.utc)
        self.assertEqual(nanoseconds(moment), 1_796_040_000_123_457_000)
        self.assertEqual(nanoseconds(moment.replace(tzinfo=None)), 1_796_040_000_123_457_000)
        self.assertEqual(nanoseconds(event().time), round(TIME * 1e6) * 1000)

    def test_methods(self) -> None:
        """A method that is none is not a name of spans, which are few."""
        span = only(spans_of(event(method="GIVE", endpoint="/v1"), "both"))
        self.assertEqual((span.name, span.attributes["http.request.method"]), ("HTTP /v1", "_OTHER"))
        self.assertEqual(span.attributes["http.request.method_original"], "GIVE")
