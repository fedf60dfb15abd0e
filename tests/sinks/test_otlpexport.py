"""Tests for L{llmproxy.sinks.otlpexport}."""

from __future__ import annotations

import os
from typing import Any

import requests
from attrs import evolve
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.core.telemetry.logs import log_of
from llmproxy.core.telemetry.metrics import Metrics
from llmproxy.core.telemetry.otlpoptions import Destination, OtlpOptions
from llmproxy.core.telemetry.spans import spans_of
from llmproxy.sinks.otlpexport import OtlpExport, resource_of

from ..core.events.samples import TRACE, event, full_record
from ..tables import row
from .otlpreceiver import Receiver

HERE = Destination("http://c.example/v1/traces", timeout=0.2)
OPTIONS = OtlpOptions(
    {
        "traces": HERE,
        "metrics": evolve(HERE, endpoint="http://c.example/v1/metrics"),
        "logs": evolve(HERE, endpoint="http://c.example/v1/logs"),
    },
    resource={"service.name": "gateway"},
)
WHOLE = event_of_record(full_record(part_of=None))


class ExportCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.receiver = Receiver()

    def export(self, options: OtlpOptions = OPTIONS) -> OtlpExport:
        export = self.receiver.of(OtlpExport(options))
        self.addCleanup(export.close)
        return export


class SpanTests(ExportCase):
    def test_whole(self) -> None:
        """Each span arrives as it was made: ids, times, kind, attributes, state, and how it ended."""
        values = spans_of(WHOLE, "both")
        receipt = self.export().spans(values)
        self.assertEqual(receipt.status, 200)
        received = self.receiver.received.spans
        for value, span in zip(values, received, strict=True):
            with row(value.name):
                self.assertEqual(
                    (span.name, span.kind, span.trace_id, span.span_id, span.parent_id, span.state),
                    (value.name, value.kind, value.trace_id, value.span_id, value.parent_id, value.state),
                )
                self.assertEqual((span.start, span.end, span.status), (value.start, value.end, 2 if value.error else 0))
                self.assertEqual(span.attributes, value.attributes)
                self.assertEqual(span.scope, "llmproxy")
        self.assertEqual([span.remote_parent for span in received], [True, False, False])
        self.assertEqual(received[0].trace_id, TRACE.trace_id)

    def test_resource(self) -> None:
        """What process it is: each has an id of its own, whatever the operator says of all of them."""
        self.export().spans(spans_of(event(), "both"))
        resource = self.receiver.received.spans[0].resource
        self.assertEqual((resource["service.name"], resource["process.pid"]), ("gateway", os.getpid()))
        self.assertEqual(resource["telemetry.sdk.language"], "python")
        self.assertEqual(len(resource["service.instance.id"]), 36)
        said = resource_of({"service.instance.id": "a"}).attributes
        self.assertEqual((said["service.instance.id"], len(str(said["llmproxy.process.id"]))), ("a", 36))

    def test_why(self) -> None:
        """What an error was is said, where the status does not."""
        self.export().spans(spans_of(event(ended="timeout", cause="silence_timeout"), "both"))
        (span,) = self.receiver.received.spans
        self.assertEqual((span.status, span.why), (2, "timeout: silence_timeout"))

    def test_cut(self) -> None:
        """Texts are no longer than they may be."""
        self.export(evolve(OPTIONS, longest=4)).spans(spans_of(event(attempts_made=[]), "both"))
        (span,) = self.receiver.received.spans
        self.assertEqual(span.attributes["url.path"], "/v1/")


class MetricTests(ExportCase):
    def test_whole(self) -> None:
        """Histograms with their buckets, counters as whole numbers, each series by its attributes."""
        metrics = Metrics("both")
        metrics.add(WHOLE)
        self.export().metrics(metrics.measured)
        received = self.receiver.received.metrics
        self.assertEqual(set(received), {each.name for each in metrics.measured})
        for instrument, series in metrics.measured.items():
            for (key, one), point in zip(series.items(), received[instrument.name], strict=True):
                with row((instrument.name, key)):
                    self.assertEqual(point.attributes, dict(key))
                    self.assertEqual((point.total, point.counts), (one.total, one.counts))
                    self.assertEqual(point.bounds, list(instrument.bounds))
                    self.assertEqual(point.temporality, 2)
                    self.assertLess(point.start, point.time)
                    named = [(one.exemplar[0], TRACE.trace_id, TRACE.span_id)] if one.exemplar else []
                    self.assertEqual((point.exemplars, bool(named)), (named, bool(instrument.bounds)))
        (point,) = received["gen_ai.client.inference.usage.input_tokens"]
        self.assertIsInstance(point.total, int)

    def test_delta(self) -> None:
        """What was measured since a moment says so."""
        metrics = Metrics("both")
        metrics.add(WHOLE)
        self.export(evolve(OPTIONS, temporality="delta")).metrics(metrics.take(), 5)
        (point,) = self.receiver.received.metrics["http.server.request.duration"]
        self.assertEqual((point.start, point.temporality), (5, 1))


class LogTests(ExportCase):
    def test_whole(self) -> None:
        """A record for an exchange, with its trace, and one for what else happens."""
        refused = event(status=401, ended="refused", error_code="invalid_token")
        other = event(kind="budget.soft", project_id="p-1", details={"limit": 5, "rule": "monthly"})
        values = [log_of(each, traced=True) for each in (WHOLE, refused, other)]
        self.export().logs(values)
        first, second, third = self.receiver.received.logs
        self.assertEqual((first.trace_id, first.span_id), (TRACE.trace_id, TRACE.span_id))
        self.assertEqual((first.severity, first.attributes), (9, values[0].attributes))
        self.assertEqual(second.body, "POST /v1/chat/completions 401 invalid_token 0.0ms")
        self.assertEqual((second.severity, len(second.trace_id)), (13, 32))
        self.assertEqual((third.name, third.trace_id, third.severity), ("budget.soft", "", 13))
        self.assertEqual((third.attributes["llmproxy.limit"], third.attributes["llmproxy.rule"]), (5, "monthly"))

    def test_no_text(self) -> None:
        """Half a surrogate pair does not keep the others of a batch back."""
        self.export().logs(
            [log_of(each, traced=True) for each in (event(path="/a\ud800", user_agent="b\udfff"), event())]
        )
        first, _ = self.receiver.received.logs
        self.assertEqual((first.body.split()[1], first.attributes["user_agent.original"]), ("/a?", "b?"))


class RequestTests(ExportCase):
    def ask(self, **changes: Any) -> Any:
        options = evolve(OPTIONS, destinations={"traces": evolve(HERE, **changes)})
        return self.export(options).spans(spans_of(event(), "both"))

    def fails(self, kind: type[Exception], **changes: Any) -> Any:
        return self.assertRaises(kind, self.ask, **changes)

    def test_fields(self) -> None:
        """What a receiver asks for goes to it, and nothing that the process's variables say for another one."""
        self.patch(os, "environ", {**os.environ, "OTEL_EXPORTER_OTLP_HEADERS": "other-key=sk-canary"})
        self.ask(headers={"Api-Key": "k-1"}, compression="gzip")
        ((url, fields),) = self.receiver.requests
        self.assertEqual(url, HERE.endpoint)
        self.assertEqual((fields["api-key"], fields["content-encoding"]), ("k-1", "gzip"))
        self.assertEqual(fields["content-type"], "application/x-protobuf")
        self.assertNotIn("canary", str(fields))
        self.assertEqual(len(self.receiver.received.spans), 1)

    def test_compressions(self) -> None:
        """Each is read by the receiver."""
        for compression in ("none", "gzip", "deflate"):
            self.ask(compression=compression)
        self.assertEqual(len(self.receiver.received.spans), 3)

    def test_certificates(self) -> None:
        """Those that are configured are those that are used."""
        self.ask(certificate="/ca.pem", client_certificate="/c.pem", client_key="/k.pem")
        self.assertEqual(
            (self.receiver.keywords[0]["verify"], self.receiver.keywords[0]["cert"]), ("/ca.pem", ("/c.pem", "/k.pem"))
        )

    def test_failures(self) -> None:
        """What a receiver never takes is told from what may pass, and what it said is shown."""
        for status, kind in (
            (400, PermanentFailure),
            (404, PassingFailure),
            (401, PassingFailure),
            (500, PassingFailure),
        ):
            self.receiver.answers = lambda _, status=status: (status, b"no such thing")  # type: ignore[misc]
            error = self.fails(kind)
            self.assertEqual(error.receipt.status, status, status)
            self.assertIn("no such thing", str(error), status)

    def test_redirect(self) -> None:
        """A receiver that is elsewhere has not taken anything; nothing is sent there."""
        self.receiver.answers = lambda _: (302, b"")
        self.receiver.fields = {"Location": "http://evil.example/"}
        self.assertEqual(self.fails(PassingFailure).receipt.status, 302)
        self.assertEqual(len(self.receiver.requests), 1)

    def test_busy(self) -> None:
        """One that asks for a while gets it."""
        self.receiver.answers = lambda _: (429, b"")
        self.receiver.fields = {"Retry-After": "7"}
        self.assertEqual(self.fails(PassingFailure).retry_after, 7.0)

    def test_away(self) -> None:
        """One that cannot be reached may be there later; what is said holds no secret."""
        self.receiver.answers = lambda _: requests.ConnectionError("http://u:sk-canary@c.example refused")
        error = self.fails(PassingFailure)
        self.assertEqual(str(error), "traces: ConnectionError")
        self.receiver.answers = lambda _: requests.ConnectionError(ConnectionRefusedError(111, "Connection refused"))
        self.assertEqual(str(self.fails(PassingFailure)), "traces: ConnectionError: Connection refused")

    def test_rejected(self) -> None:
        """What a receiver leaves out of what it takes is counted."""
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 2
        answer.partial_success.error_message = "too old"
        self.receiver.answers = lambda _: (200, answer.SerializeToString())
        export = self.export()
        receipt = export.spans(spans_of(WHOLE, "both"))
        self.assertEqual((export.rejected, receipt.text), (2, "2 rejected: too old"))

    def test_other_answers(self) -> None:
        """Some say something in words, or in JSON, when they have it."""
        for body in (b"ok", b"{}", b'{"partialSuccess":{}}'):
            self.receiver.answers = lambda _, body=body: (202, body)  # type: ignore[misc]
            self.assertEqual(self.ask().status, 202, body)
