"""Tests for L{llmproxy.config.tracing}: in files, variables and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, APIProviderConfig, load_api_config
from llmproxy.config.sinks import SinkConfig
from llmproxy.config.tracing import TracingConfig, is_disabled, is_exported, problems
from llmproxy.core.telemetry.sampling import Sampler
from llmproxy.core.telemetry.traces import TracingOptions
from llmproxy.errors import ConfigError

from ..tables import row

FILE = """
tracing: {said}
default_api: a
apis:
  a: {{base_url: http://a, allowed_methods: [POST], allowed_endpoints: [/v1]}}
"""
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
API = APIProviderConfig("http://a", ["/v1"], ["POST"])
OTLP = SinkConfig("tel", "otlp")


def config(**values: Any) -> APIConfig:
    return APIConfig({"a": API}, "a", **values)


class FileTests(SynchronousTestCase):
    def read(self, said: str) -> APIConfig:
        path = self.mktemp()
        Path(path).write_text(FILE.format(said=said))
        return load_api_config(path)

    def test_values(self) -> None:
        """Off and on by a word; anything else that is said turns it on."""
        for said, expected in (
            ("", None),
            ("off", None),
            ("on", TracingOptions()),
            ("{traceparent: continue}", TracingOptions("continue")),
            ("{sampler: parentbased_traceidratio, ratio: 0.1}", TracingOptions("pass", Sampler(0.1))),
            ("{sampler: always_off}", TracingOptions("pass", Sampler(0.0, False))),
            ("{traceparent: add, enabled: off}", None),
            ("{callers: restart}", TracingOptions(hears=False)),
        ):
            with row(said):
                self.assertEqual(self.read(said).tracing_options(), expected)

    def test_wrong(self) -> None:
        """What cannot be is said, with where it stands."""
        for said, sentence in (
            ("{traceparent: yes}", "traceparent: expected one of pass, continue, add, got 'yes'"),
            ("{sampler: xray}", "sampler: expected one of always_on"),
            ("{ratio: 0.5}", "ratio is of sampler: traceidratio"),
            ("{sampler: traceidratio, ratio: 5}", "ratio: expected a number from 0 to 1, got '5'"),
            ("{propagate: b3}", "propagate"),
            ("maybe", "expected"),
        ):
            with row(said):
                self.assertIn(sentence, str(self.assertRaises(ConfigError, self.read, said)))

    def test_programs(self) -> None:
        """A program says the same with values, which are checked as those of a file are."""
        config(tracing=TracingConfig(True, "add", "traceidratio", 0.5)).validate()
        wrong = config(tracing=TracingConfig(True, "b3"))
        self.assertIn("tracing.traceparent", str(self.assertRaises(ConfigError, wrong.validate)))


class OnTests(SynchronousTestCase):
    def test_by_sink(self) -> None:
        """A sink that exports spans has exchanges traced, unless that is off."""
        self.assertEqual(config(sinks=[OTLP]).tracing_options(), TracingOptions())
        self.assertIsNone(config(sinks=[SinkConfig("log", "file")]).tracing_options())
        self.assertIsNone(config(sinks=[OTLP], tracing=TracingConfig(False)).tracing_options())

    def test_by_variables(self) -> None:
        """Variables alone make a sink, where the file has none; the switch of the SDK takes all of them away."""
        log = SinkConfig("log", "file")
        for sinks, environment, expected in (
            ([], ENDPOINT, [SinkConfig("otlp", "otlp")]),
            ([log], ENDPOINT, [log, SinkConfig("otlp", "otlp")]),
            ([OTLP], ENDPOINT, [OTLP]),
            ([evolve(log, name="otlp")], ENDPOINT, [evolve(log, name="otlp"), SinkConfig("opentelemetry", "otlp")]),
            ([OTLP, log], {"OTEL_SDK_DISABLED": "true"}, [log]),
            ([], {**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, []),
            ([OTLP], {}, [OTLP]),
            ([], {"OTEL_SERVICE_NAME": "x"}, []),
        ):
            with row((sinks, environment)):
                found = config(sinks=sinks).with_telemetry(environment)
                self.assertEqual(list(found.sinks), expected)
                exports = any(each.type == "otlp" for each in expected)
                self.assertEqual(found.tracing_options() is not None, exports)
        found.validate()

    def test_sampler(self) -> None:
        """What the file does not say of samplers the variables say."""
        environment = {**ENDPOINT, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}
        options = config().with_telemetry(environment).tracing_options()
        self.assertEqual(options, TracingOptions("pass", Sampler(0.25, False)))
        said = config(tracing=TracingConfig(True, "add", "always_on")).with_telemetry(environment)
        self.assertEqual(said.tracing_options(), TracingOptions("add", Sampler(1.0, False)))

    def test_propagators(self) -> None:
        """Callers are heard by `tracecontext`, and by nothing else."""
        for value, hears in (("", True), ("tracecontext,baggage", True), ("none", False), ("b3", False)):
            found = config(sinks=[OTLP]).with_telemetry({"OTEL_PROPAGATORS": value}).tracing_options()
            assert found is not None
            self.assertEqual(found.hears, hears, value)


class VariableTests(SynchronousTestCase):
    def test_problems(self) -> None:
        """What is wrong is said where an export is asked for; variables that nobody reads hurt nobody."""
        wrong = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_SAMPLER": "xray", "OTEL_TRACES_SAMPLER_ARG": "x"}
        self.assertEqual({name for name, _ in problems({**ENDPOINT, **wrong})}, wrong.keys())
        self.assertEqual(list(problems(wrong)), [])
        self.assertEqual(list(problems(ENDPOINT)), [])

    def test_batches(self) -> None:
        """Batches are those that the variables ask for, of the sink that they make."""
        said = {
            "OTEL_BSP_SCHEDULE_DELAY": "5000",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "512",
            "OTEL_BSP_MAX_QUEUE_SIZE": "9",
        }
        (sink,) = config().with_telemetry({**ENDPOINT, **said}).sinks
        self.assertEqual((sink.flush_interval, sink.batch, sink.queue), (5.0, 512, 9))
        wrong = dict.fromkeys(said, "-1")
        self.assertEqual({name for name, _ in problems({**ENDPOINT, **wrong})}, wrong.keys())
        self.assertEqual(list(problems({**ENDPOINT, **said})), [])

    def test_switches(self) -> None:
        """An endpoint is what asks for an export."""
        self.assertTrue(is_exported(ENDPOINT))
        self.assertFalse(is_exported({"OTEL_EXPORTER_OTLP_HEADERS": "a=b"}))
        self.assertFalse(is_exported({}))
        self.assertTrue(is_disabled({"OTEL_SDK_DISABLED": "True"}))
        self.assertFalse(is_disabled({}))
