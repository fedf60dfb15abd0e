"""Tests for L{llmproxy.sinks.otlp}."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from attrs import evolve
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.events.receipts import PassingFailure
from llmproxy.core.masking import Masking
from llmproxy.core.telemetry.otlpoptions import Destination
from llmproxy.errors import ConfigError
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks import otlp
from llmproxy.sinks.otlp import MISSING, Otlp, options_of
from llmproxy.sinks.otlpexport import OtlpExport
from llmproxy.sinks.registry import SinkTools, sink_type

from ..core.events.samples import event, full_record
from ..tables import row
from .otlpreceiver import Receiver

WHOLE = event_of_record(full_record(part_of=None))
ROOT = Path(__file__).resolve().parent.parent.parent


class OtlpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.receiver = Receiver()
        self.masking = Masking()

    def sink(self, environment: dict[str, str] | None = None, **settings: Any) -> Otlp:
        run: Any = execute
        tools = SinkTools("tel", self.clock, None, run, masking=self.masking, environment=environment or {})  # type: ignore[arg-type]
        sink = Otlp({"endpoint": "http://c.example", "request_timeout": 0.1, **settings}, tools)
        self.assertTrue(verifyObject(IEventSink, sink))
        sink._export = None if sink._disabled else self.receiver.of(OtlpExport(sink._options))
        return sink

    def names(self) -> list[str]:
        return [url.removeprefix("http://c.example/v1/") for url, _ in self.receiver.requests]

    def deliver(self, sink: Otlp, *events: Any) -> Deferred[Any]:
        return sink.deliver(events or (WHOLE,))

    def test_type(self) -> None:
        """It is the sink `otlp` of a configuration."""
        self.assertIs(sink_type("otlp"), Otlp)

    def test_signals(self) -> None:
        """Spans go at once, metrics after their interval, and once more at the end; logs where they are asked for."""
        sink = self.sink(logs=True, metrics_interval="10s")
        receipt = self.successResultOf(self.deliver(sink))
        self.assertEqual((receipt.status, self.names()), (200, ["traces", "logs"]))
        self.clock.advance(10)
        self.successResultOf(self.deliver(sink))
        self.clock.advance(10)
        self.successResultOf(sink.close())
        self.assertEqual(self.names()[2:], ["metrics", "traces", "logs", "metrics", "metrics"])
        (point,) = self.receiver.received.metrics["http.server.request.duration"]
        self.assertEqual((point.count, len(self.receiver.received.spans), len(self.receiver.received.logs)), (2, 6, 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_only_some(self) -> None:
        """A signal that is off goes nowhere."""
        for settings, expected in (
            ({"metrics": False}, ["traces"]),
            ({"traces": False, "metrics": False, "logs": True}, ["logs"]),
            ({"traces": False}, ["metrics"]),
        ):
            self.receiver = Receiver()
            sink = self.sink(**settings)
            self.successResultOf(self.deliver(sink))
            self.successResultOf(sink.close())
            self.assertEqual(self.names(), expected, settings)

    def test_not_sampled(self) -> None:
        """A trace that is not kept has no spans; it is counted all the same."""
        sink = self.sink()
        self.successResultOf(self.deliver(sink, event(trace_id="a" * 32, span_id="b" * 16, trace_sampled=False)))
        self.successResultOf(sink.close())
        self.assertEqual(self.names(), ["metrics"])

    def test_other_kinds(self) -> None:
        """What is no exchange has no span; it is a log record where there are logs."""
        sink = self.sink(logs=True)
        self.successResultOf(self.deliver(sink, event(kind="audit.project.create")))
        self.successResultOf(sink.close())
        self.assertEqual(self.names(), ["logs"])

    def test_failed(self) -> None:
        """A batch that was not taken comes again; what had gone of it already does not, and it is counted once."""
        sink = self.sink(logs=True)
        fails = {"http://c.example/v1/logs"}
        self.receiver.answers = lambda request: (503, b"") if request.url in fails else (200, b"")
        self.failureResultOf(self.deliver(sink), PassingFailure)
        fails.clear()
        self.successResultOf(self.deliver(sink))
        self.successResultOf(sink.close())
        self.assertEqual([name for name in self.names() if name != "metrics"], ["traces", "logs", "logs"])
        (point,) = self.receiver.received.metrics["http.server.request.duration"]
        self.assertEqual(point.count, 1)

    def test_metrics_away(self) -> None:
        """Metrics that cannot be delivered are said once a minute, and hurt no spans; they are there the next time."""
        sink = self.sink(metrics_interval=10)
        self.receiver.answers = lambda request: (404, b"no metrics") if "metrics" in (request.url or "") else (200, b"")
        self.successResultOf(self.deliver(sink))
        self.clock.pump([10] * 4)
        self.assertEqual(self.names(), ["traces", *["metrics"] * 4])
        self.receiver.answers = lambda request: (200, b"")
        self.clock.advance(10)
        (point,) = self.receiver.received.metrics["http.server.request.duration"]
        self.assertEqual(point.count, 1)
        self.successResultOf(sink.close())

    def test_delta(self) -> None:
        """Where a receiver wants what was measured since the last time, it gets that, each once."""
        sink = self.sink(temporality="delta", metrics_interval=10)
        self.successResultOf(self.deliver(sink))
        self.clock.advance(10)
        (first,) = self.receiver.received.metrics["http.server.request.duration"]
        self.receiver.answers = lambda request: (503, b"")
        sink._metrics.add(WHOLE)
        self.clock.advance(10)
        self.receiver.answers = lambda request: (200, b"")
        sink._metrics.add(WHOLE)
        self.clock.advance(10)
        (second,) = self.receiver.received.metrics["http.server.request.duration"]
        self.assertEqual((first.count, second.count, second.start), (1, 2, 10_000_000_000))
        self.clock.advance(10)
        self.assertEqual(self.names()[-1], "metrics")
        count = len(self.names())
        self.clock.advance(10)
        self.assertEqual(len(self.names()), count)
        self.successResultOf(sink.close())

    def test_disabled(self) -> None:
        """The switch of the SDK turns it off, and batches are taken."""
        sink = self.sink({"OTEL_SDK_DISABLED": "true"})
        self.assertIsNone(self.successResultOf(self.deliver(sink)))
        self.successResultOf(sink.close())
        self.assertEqual((self.names(), self.clock.getDelayedCalls()), ([], []))

    def test_unused(self) -> None:
        """One that never had a batch imports nothing, and ends at once."""
        sink = self.sink()
        sink._export = None
        self.successResultOf(sink.close())

    def test_secrets(self) -> None:
        """What a receiver asks for stands nowhere else."""
        self.sink(headers={"x-api-key": "a-secret-of-the-receiver"})
        self.assertNotIn("a-secret-of-the-receiver", self.masking.text("it is a-secret-of-the-receiver"))

    def test_missing(self) -> None:
        """Without the extra it is said at the start what to install."""
        self.patch(otlp, "NEEDED", ("opentelemetry.nothing_of_this_name",))
        error = self.assertRaises(ConfigError, self.sink)
        self.assertEqual(str(error), MISSING)
        self.patch(otlp, "NEEDED", ("nothing_of_this_name.below",))
        self.assertRaises(ConfigError, self.sink)

    def test_away(self) -> None:
        """A collector that is away loses nothing: the batch is not taken."""
        sink = self.sink()
        self.receiver.answers = lambda _: requests.ConnectionError("refused")
        self.failureResultOf(self.deliver(sink), PassingFailure)

    def test_no_import(self) -> None:
        """A sink that was made has imported nothing of the SDK."""
        script = (
            "import sys; from llmproxy.sinks.otlp import Otlp, options_of; options_of({}, {}); "
            "print([each for each in ('opentelemetry.sdk.trace', 'requests', 'google') if each in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "[]\n")


class OptionsTests(SynchronousTestCase):
    def test_settings(self) -> None:
        """All that a sink can say of its receiver."""
        certificate = self.mktemp()
        Path(certificate).write_text("x")
        options = options_of(
            {
                "endpoint": "https://c.example/otlp/",
                "logs_endpoint": "https://l.example/in",
                "headers": {"api-key": "k"},
                "compression": "gzip",
                "request_timeout": "3s",
                "ca_file": certificate,
                "semconv": "latest",
                "service_name": "gateway",
                "resource": {"team": "ml"},
                "metrics_interval": "15s",
                "temporality": "delta",
                "longest_value": 1000,
            },
            {},
        )
        to = Destination("https://c.example/otlp/v1/traces", {"api-key": "k"}, 3.0, "gzip", certificate)
        self.assertEqual(
            options.destinations,
            {
                "traces": to,
                "metrics": evolve(to, endpoint="https://c.example/otlp/v1/metrics"),
                "logs": evolve(to, endpoint="https://l.example/in"),
            },
        )
        self.assertEqual(options.resource, {"team": "ml", "service.name": "gateway"})
        self.assertEqual((options.semconv, options.interval, options.temporality), ("latest", 15.0, "delta"))
        self.assertEqual(options.longest, 1000)

    def test_variables(self) -> None:
        """What is not said is what the variables say, but for a receiver that is named here: their keys stay theirs."""
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:4318",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=of-another",
            "OTEL_SERVICE_NAME": "gateway",
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
            "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
        }
        options = options_of({}, environment)
        self.assertEqual(
            options.destinations["traces"], Destination("http://e:4318/v1/traces", {"api-key": "of-another"})
        )
        self.assertEqual((options.semconv, options.interval), ("latest", 5.0))
        options = options_of({"endpoint": "http://mine", "semconv": "legacy"}, environment)
        self.assertEqual(options.destinations["traces"], Destination("http://mine/v1/traces"))
        self.assertEqual((options.semconv, options.resource), ("legacy", {"service.name": "gateway"}))

    def test_signals(self) -> None:
        """Which signals go out, by what is said."""
        for settings, environment, expected in (
            ({}, {}, {"traces", "metrics"}),
            ({"endpoint": "http://c"}, {}, {"traces", "metrics"}),
            ({"endpoint": "http://c", "logs": True, "metrics": False}, {}, {"traces", "logs"}),
            ({"traces_endpoint": "http://c/t"}, {}, {"traces"}),
            ({"traces_endpoint": "http://c/t", "metrics": True}, {}, {"traces", "metrics"}),
            ({}, {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c/l"}, {"logs"}),
        ):
            with row((settings, environment)):
                self.assertEqual(set(options_of(settings, environment).destinations), expected)

    def test_wrong(self) -> None:
        """What cannot be is said all at once, by its name."""
        settings = {
            "endpoint": "grpc://c:4317",
            "semconv": "newest",
            "compression": "zstd",
            "temporality": "x",
            "ca_file": "/nowhere.pem",
            "client_key": str(ROOT / "setup.cfg"),
            "metrics_interval": 0.1,
            "headers": {"a": "b\r\nc"},
            "sampling": 1,
        }
        error = self.assertRaises(ConfigError, options_of, settings, {"OTEL_EXPORTER_OTLP_TIMEOUT": "x"})
        names = {str(each).partition(":")[0] for each in error.problems}
        self.assertEqual(names, {*settings})
        error = self.assertRaises(ConfigError, options_of, {"traces": False, "metrics": False}, {})
        self.assertIn("nothing is exported", str(error))
        error = self.assertRaises(ConfigError, options_of, {}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
        self.assertIn("OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf", str(error))
