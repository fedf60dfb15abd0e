"""Tests for L{llmproxy.middleware.tracing}."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.config import TimeoutConfig
from llmproxy.config.model import MeterConfig
from llmproxy.config.upstreams import RetryConfig, UpstreamConfig
from llmproxy.core.telemetry.traces import Traces, TracingOptions
from llmproxy.errors import BodyStopped, BreakerOpen, UpstreamReset
from llmproxy.message import Call, Trace
from llmproxy.middleware.tracing import JoinTrace, TraceCalls, cause_of_call

from ..harness import Exchange
from ..harness import a_request as bytes_of
from .fakes import HeldBody, Inner, Reader, a_request, a_response, an_api, an_upstream

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{ID}-{SPAN}-01".encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: up-1\r\nContent-Length: 2\r\n\r\n{}"
BODY = b'{"model":"m","messages":[]}'


def traces(passing: Any = "pass") -> Traces:
    return Traces(TracingOptions(passing), Random(7).getrandbits)


class JoinTraceTests(SynchronousTestCase):
    def test_trace(self) -> None:
        """Each exchange has a span: in the caller's trace, where it names one."""
        inner = Inner()
        request = a_request()
        request.record.trace = Trace(ID, SPAN)
        JoinTrace(traces()).respond(request, inner)
        JoinTrace(traces()).respond(a_request(), inner)
        first, second = (each.record.trace for each in inner.requests)
        assert first is not None and second is not None
        self.assertEqual((first.trace_id, first.parent_id, len(first.span_id)), (ID, SPAN, 16))
        self.assertEqual((second.parent_id, len(second.trace_id)), ("", 32))


class TraceCallsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        self.inner = Inner()

    def calls(self, passing: Any = "pass", **api: Any) -> Any:
        self.request = request = a_request(api=an_api(**api))
        request.record.trace = Trace(ID, SPAN, span_id="b7ad6b7169203331")
        self.responding = TraceCalls(traces(passing), lambda: self.now).respond(request, self.inner)
        return self.request.record.calls

    def test_answered(self) -> None:
        """What was asked, when, and when its answer had begun and ended."""
        (call,) = self.calls(upstreams=(an_upstream(name="one", provider="openai"),))
        self.request.record.upstream_request_id = "up-1"
        body = HeldBody()
        self.now = 101.0
        self.inner.answer(a_response(200, body))
        response = self.successResultOf(self.responding)
        self.assertIsNone(call.ended)
        reading = response.body.startProducing(Reader())
        self.now = 103.0
        body.end()
        self.successResultOf(reading)
        self.assertEqual((call.api, call.upstream, call.address, call.port), ("openai", "one", "api.example", 443))
        self.assertEqual((call.began, call.head, call.ended, call.status), (100.0, 101.0, 103.0, 200))
        self.assertEqual((call.provider, call.cause, call.request_id), ("openai", "", "up-1"))
        self.assertEqual(call.trace.span_id, "b7ad6b7169203331")

    def test_at_hand(self) -> None:
        """An answer that is here has ended with its head."""
        for body in (None, BytesBody(b"x")):
            (call,) = self.calls()
            self.now += 1
            self.inner.answer(a_response(404, body))
            self.assertEqual((call.head, call.ended, call.status), (self.now, self.now, 404), body)

    def test_failed(self) -> None:
        """Why there was no answer."""
        (call,) = self.calls()
        self.now = 102.0
        self.inner.fail(UpstreamReset("gone"))
        self.failureResultOf(self.responding, UpstreamReset)
        self.assertEqual((call.head, call.ended, call.status, call.cause), (None, 102.0, 0, "reset"))

    def test_raises(self) -> None:
        """What fails at once is an end like others."""

        def inner(request: object) -> Any:
            raise UpstreamReset("gone")

        request = a_request(api=an_api())
        self.assertRaises(UpstreamReset, TraceCalls(traces(), lambda: 5.0).respond, request, inner)
        (call,) = request.record.calls or ()
        self.assertEqual((call.ended, call.cause), (5.0, "reset"))
        self.assertEqual(call.trace, request.record.trace)

    def test_cut(self) -> None:
        """An answer that broke, or that nobody wanted any more."""
        (call,) = self.calls()
        body = HeldBody()
        self.inner.answer(a_response(200, body))
        response = self.successResultOf(self.responding)
        reading = response.body.startProducing(Reader())
        body.fail(UpstreamReset("gone"))
        self.failureResultOf(reading, UpstreamReset)
        self.assertEqual((call.status, call.cause), (200, "reset"))
        (call,) = self.calls()
        self.inner.answer(a_response(500, HeldBody()))
        self.successResultOf(self.responding).body.stopProducing()
        self.assertEqual((call.status, call.cause, call.ended), (500, "cancelled", 100.0))

    def test_cancelled(self) -> None:
        """A client that leaves, or an attempt beside it that was faster, ends a call."""
        (call,) = self.calls()
        self.responding.cancel()
        self.failureResultOf(self.responding, CancelledError)
        self.assertEqual(call.cause, "cancelled")

    def test_passing(self) -> None:
        """Upstream learns of our span where it is configured so."""
        for passing, expected in (("pass", PARENT), ("continue", None), ("add", None)):
            request = a_request(api=an_api(), fields=[(b"traceparent", PARENT)])
            request.record.trace = Trace(ID, SPAN, span_id="b7ad6b7169203331")
            TraceCalls(traces(passing), lambda: 0.0).respond(request, self.inner)
            (call,) = request.record.calls or ()
            sent = dict(self.inner.requests[-1].fields)[b"traceparent"]
            self.assertEqual(sent, expected or f"00-{ID}-{call.span_id}-01".encode(), passing)

    def test_model(self) -> None:
        """The model that this upstream was asked for, where it has another name for it."""
        upstream = an_upstream(models={"m": "m-2"})
        for asked, expected in (("m", "m-2"), ("other", ""), ("", "")):
            request = a_request(api=an_api(upstreams=(upstream,)))
            request.model = asked
            TraceCalls(traces(), lambda: 0.0).respond(request, self.inner)
            (call,) = request.record.calls or ()
            self.assertEqual(call.model, expected, asked)

    def test_causes(self) -> None:
        """Any end has a word."""
        for error, word in (
            (CancelledError(), "cancelled"),
            (BodyStopped(), "cancelled"),
            (UpstreamReset("x"), "reset"),
            (BreakerOpen("x"), "circuit_open"),
            (ZeroDivisionError(), "failed"),
        ):
            self.assertEqual(cause_of_call(error), word, word)


class WholeTests(SynchronousTestCase):
    """Through the whole proxy, both ends held by the test."""

    def exchange(self, passing: Any = "pass", **settings: Any) -> Exchange:
        return Exchange(traces=traces(passing), **settings)

    def asked(self, exchange: Exchange, *fields: bytes, **changes: Any) -> Any:
        client = exchange.client()
        client.receive(bytes_of(b"/v1/chat/completions", *fields, **{"body": BODY, **changes}))
        return client

    def calls(self, exchange: Exchange) -> list[Call]:
        return exchange.records[-1].calls or []

    def test_one(self) -> None:
        """One call for an exchange whose upstream answers, within its span, and byte for byte what the client sent."""
        exchange = self.exchange()
        self.asked(exchange, b"Traceparent: " + PARENT, b"tracestate: a=1")
        exchange.clock.advance(0.5)
        sent = exchange.upstream[0].take()
        self.assertIn(b"Traceparent: " + PARENT + b"\r\ntracestate: a=1\r\n", sent)
        exchange.upstream[0].receive(ANSWER)
        (record,) = exchange.records
        (call,) = self.calls(exchange)
        assert record.trace is not None and call.ended is not None
        self.assertEqual((record.trace.trace_id, record.trace.parent_id, record.trace.state), (ID, SPAN, "a=1"))
        self.assertIs(call.trace, record.trace)
        self.assertEqual((call.status, call.cause, call.request_id), (200, "", "up-1"))
        self.assertLessEqual(record.started_at, call.began)
        self.assertLessEqual(call.ended, record.started_at + record.duration)
        self.assertEqual(call.ended - call.began, 0.5)

    def test_nothing_is_added(self) -> None:
        """A client that names no trace has none passed on, but where that is configured."""
        for passing, is_there in (("pass", False), ("continue", False), ("add", True)):
            exchange = self.exchange(passing)
            self.asked(exchange)
            sent = exchange.upstream[0].take()
            self.assertEqual(b"traceparent" in sent, is_there, passing)

    def test_failover(self) -> None:
        """Each upstream that was tried is a call of its own, and each has its own span to name as its parent."""
        upstreams = [UpstreamConfig("one", "http://192.0.2.9"), UpstreamConfig("two", "http://192.0.2.10")]
        exchange = self.exchange("add", base_url="", upstreams=upstreams, retry=RetryConfig(2))
        client = self.asked(exchange)
        sent = [exchange.upstream[0].take()]
        exchange.upstream[0].receive(ANSWER.replace(b"200 OK", b"503 No"))
        sent.append(exchange.upstream[1].take())
        exchange.upstream[1].receive(ANSWER)
        self.assertIn(b"200 OK", client.take())
        calls = self.calls(exchange)
        self.assertEqual({call.upstream for call in calls}, {"one", "two"})
        self.assertEqual([(call.status, call.cause) for call in calls], [(503, ""), (200, "")])
        self.assertTrue(all(call.ended is not None for call in calls))
        for call, request in zip(calls, sent, strict=True):
            self.assertIn(f"traceparent: 00-{call.trace.trace_id}-{call.span_id}-01\r\n".encode(), request)

    def test_hit(self) -> None:
        """An answer from the cache calls nobody; the one that it is from had its call."""
        exchange = self.exchange(cached=True)
        stored = ANSWER.replace(b"\r\n\r\n", b"\r\nCache-Control: public, max-age=60\r\n\r\n")
        for _ in range(2):
            self.asked(exchange, body=None)
            if exchange.upstream[0].take():
                exchange.upstream[0].receive(stored)
        self.assertEqual([record.cache for record in exchange.records], ["uri-miss", "hit"])
        self.assertEqual([len(record.calls or ()) for record in exchange.records], [1, 0])
        self.assertTrue(all(record.trace is not None for record in exchange.records))
        self.assertEqual((exchange.records[0].calls or [])[0].ended, 1000.0)

    def test_shared(self) -> None:
        """A call that answers two requests belongs to the trace of the one that it was made for."""
        exchange = self.exchange(cached=True)
        for _ in range(2):
            self.asked(exchange, body=None)
        exchange.upstream[0].receive(ANSWER.replace(b"\r\n\r\n", b"\r\nCache-Control: public, max-age=60\r\n\r\n"))
        first, second = exchange.records
        self.assertEqual([len(each.calls or ()) for each in (first, second)], [1, 0])
        assert first.calls is not None
        self.assertIs(first.calls[0].trace, first.trace)

    def test_refused(self) -> None:
        """Who is not let in has a span, and nothing was called for it."""
        exchange = self.exchange(strangers=True)
        client = exchange.client()
        client.receive(
            b"GET /v1/x HTTP/1.1\r\nHost: p\r\nAuthorization: Bearer sk-wrong\r\ntraceparent: " + PARENT + b"\r\n\r\n"
        )
        (record,) = exchange.records
        assert record.trace is not None
        self.assertEqual((record.status, record.trace.trace_id, record.calls), (401, ID, None))

    def test_breaker(self) -> None:
        """A call that an open circuit does not let happen is none."""
        exchange = self.exchange()
        exchange.refuses = True
        for _ in range(7):
            self.asked(exchange)
        self.assertEqual(exchange.records[-1].error_code, "circuit_open")
        self.assertIsNone(exchange.records[-1].calls)
        self.assertEqual([call.cause for call in exchange.records[0].calls or ()], ["refused"])

    def test_client_left(self) -> None:
        """A client that leaves ends the call that is made for it, and nothing is left of it."""
        exchange = self.exchange()
        client = self.asked(exchange)
        exchange.clock.advance(2)
        client.close()
        (call,) = self.calls(exchange)
        self.assertEqual((exchange.records[0].ended, call.cause, call.ended), ("client_left", "cancelled", 1002.0))
        self.assertTrue(exchange.idle())

    def test_timeout(self) -> None:
        """A deadline that passed is why a call ended."""
        exchange = self.exchange(timeouts=TimeoutConfig(response_header=1.0))
        self.asked(exchange)
        exchange.turn(2)
        (call,) = self.calls(exchange)
        self.assertEqual((call.status, call.cause), (0, "response_header_timeout"))

    def test_response_id(self) -> None:
        """The id that the provider gave its answer, of whichever vendor, plain or a stream."""
        plain = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        stream = b"Content-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%b"
        for kind, body, expected in (
            (plain, b'{"id":"chatcmpl-1","model":"m","usage":{"prompt_tokens":1,"completion_tokens":2}}', "chatcmpl-1"),
            (plain, b'{"responseId":"g-1","usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}', "g-1"),
            (plain, b'{"usage":{"prompt_tokens":1,"completion_tokens":2}}', ""),
            (stream, b'data: {"id":"chatcmpl-2","choices":[]}\n\ndata: [DONE]\n\n', "chatcmpl-2"),
            (stream, b'data: {"type":"message_start","message":{"id":"msg_1","model":"c"}}\n\n', "msg_1"),
            (stream, b'data: {"type":"response.created","response":{"id":"resp_1","model":"c"}}\n\n', "resp_1"),
        ):
            exchange = self.exchange(meter=MeterConfig(True))
            self.asked(exchange)
            exchange.upstream[0].receive(b"HTTP/1.1 200 OK\r\n" + kind % (len(body), body))
            self.assertEqual(exchange.records[0].response_id, expected, body)

    def test_off(self) -> None:
        """Where nothing is traced, a trace that the client names is known to the log, and nothing else is kept."""
        exchange = Exchange()
        self.asked(exchange, b"traceparent: " + PARENT)
        exchange.upstream[0].receive(ANSWER)
        (record,) = exchange.records
        self.assertEqual((record.trace, record.calls), (Trace(ID, SPAN), None))
