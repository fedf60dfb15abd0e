"""Tests for L{llmproxy.core.telemetry.otlpoptions}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.telemetry.otlpoptions import Destination, OtlpVariables, is_asked_for

from ...tables import row

BASE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}


class AskedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """An endpoint turns an export on; exporters that are said to be none, or the switch of the SDK, turn it off."""
        for environment, expected in (
            ({}, ()),
            (BASE, ("traces", "metrics")),
            ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, ("traces",)),
            ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c/x"}, ("logs",)),
            ({**BASE, "OTEL_LOGS_EXPORTER": "otlp"}, ("traces", "metrics", "logs")),
            ({**BASE, "OTEL_METRICS_EXPORTER": "none"}, ("traces",)),
            ({**BASE, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "otlp"}, ("metrics",)),
            ({**BASE, "OTEL_SDK_DISABLED": "true"}, ()),
            ({**BASE, "OTEL_SDK_DISABLED": "TRUE"}, ()),
            ({**BASE, "OTEL_SDK_DISABLED": "no"}, ("traces", "metrics")),
            ({"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_SERVICE_NAME": "x"}, ()),
            ({"OTEL_TRACES_EXPORTER": "otlp"}, ()),
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, ()),
        ):
            with row(environment):
                self.assertEqual(OtlpVariables(environment).asked, expected)
                self.assertEqual(is_asked_for(environment), bool(expected))


class DestinationTests(SynchronousTestCase):
    def test_of_all(self) -> None:
        """What is said of all signals; the path of each is put behind the endpoint."""
        variables = OtlpVariables(
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example/otlp/",
                "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%2Bb, x=y=z",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
                "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/c.pem",
                "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/k.pem",
            }
        )
        headers = {"api-key": "a+b", "x": "y=z"}
        where = "https://c.example/otlp/v1/metrics"
        expected = Destination(where, headers, 2.5, "gzip", "/ca.pem", "/c.pem", "/k.pem")
        self.assertEqual(variables.destination("metrics"), expected)
        self.assertEqual(variables.problems, [])
        self.assertNotIn("a+b", repr(expected))

    def test_of_one(self) -> None:
        """What is said of one signal stands above that, and its endpoint is taken as it is."""
        variables = OtlpVariables(
            {
                **BASE,
                "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:9/in",
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2",
                "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3000",
            }
        )
        self.assertEqual(variables.destination("traces"), Destination("http://t:9/in", {"b": "2"}, 3.0))
        self.assertEqual(variables.destination("logs"), Destination("http://c:4318/v1/logs", {"a": "1"}))

    def test_timeouts(self) -> None:
        """Milliseconds, as the specification has them; what can only be seconds is, as in the SDK for Python."""
        for text, seconds in (("", 10.0), ("10000", 10.0), ("500", 0.5), ("100", 0.1), ("10", 10.0), ("2.5", 2.5)):
            found = OtlpVariables({"OTEL_EXPORTER_OTLP_TIMEOUT": text}).destination("traces")
            self.assertEqual(found.timeout, seconds, text)

    def test_usual(self) -> None:
        """Nothing said is the collector of this machine."""
        self.assertEqual(OtlpVariables({}).destination("traces"), Destination("http://localhost:4318/v1/traces"))


class OptionsTests(SynchronousTestCase):
    def test_said(self) -> None:
        """All else that the environment says."""
        options = OtlpVariables(
            {
                **BASE,
                "OTEL_SERVICE_NAME": "gateway",
                "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,deployment.environment.name=prod,team=a%2Cb",
                "OTEL_METRIC_EXPORT_INTERVAL": "5000",
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Delta",
                "OTEL_SEMCONV_STABILITY_OPT_IN": "http,gen_ai_latest_experimental",
                "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "100",
            }
        ).options()
        self.assertEqual(
            options.resource,
            {"service.name": "gateway", "deployment.environment.name": "prod", "team": "a,b"},
        )
        self.assertEqual(
            (options.interval, options.temporality, options.semconv, options.longest), (5.0, "delta", "latest", 100)
        )
        self.assertEqual(set(options.destinations), {"traces", "metrics"})

    def test_nothing_said(self) -> None:
        """The usual."""
        options = OtlpVariables(BASE).options(("traces",))
        self.assertEqual(
            (options.interval, options.temporality, options.semconv, options.longest, options.resource),
            (60.0, "cumulative", "both", None, {}),
        )

    def test_wrong(self) -> None:
        """What cannot be is said with its variable, and without what may be secret in it."""
        for name, value, beginning in (
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "expected http/protobuf, got 'grpc'"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "expected http/protobuf, got 'http/json'"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317", "expected a URL"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "expected one of none, gzip, deflate, got 'zstd'"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Bearer sk-canary", "expected name=value"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=sk-canary%0d%0ab", "expected name=value"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "expected a number"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "expected a number of milliseconds above 0"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1", "expected a number from 1000 on"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "expected otlp or none, got 'zipkin'"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "x", "expected one of cumulative, delta"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team", "expected name=value"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "many", "expected a number"),
        ):
            with row((name, value)):
                variables = OtlpVariables({**BASE, name: value})
                variables.options()
                ((where, sentence),) = variables.problems
                self.assertEqual(where, name)
                self.assertTrue(sentence.startswith(beginning), sentence)
                self.assertNotIn("canary", sentence)
