"""Sinks and traces in C{llmproxy check}."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.check import command

from ..tables import row

FILE = (
    "{said}\ndefault_api: a\napis: {{a: {{base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}}}\n"
)


class CheckTests(SynchronousTestCase):
    def check(self, said: str = "", **env: str) -> Result:
        path = self.mktemp()
        Path(path).write_text(FILE.format(said=said))
        return CliRunner().invoke(command, [path], env=env)

    def test_shown(self) -> None:
        """Where events go, what upstream learns of a trace, and which traces are kept."""
        sink = "sinks: [{name: tel, type: otlp, endpoint: 'http://c:4318'}]"
        for said, env, line in (
            (sink, {}, "sink tel: otlp"),
            (
                sink,
                {},
                "tracing: upstream gets traceparent as the client sends it; all traces are kept, but",
            ),
            (
                "tracing: {traceparent: add, sampler: traceidratio, ratio: 0.1}",
                {},
                "in any case; 0.1 of all traces",
            ),
            (
                "tracing: {traceparent: continue, sampler: always_off}",
                {},
                "where the client sends one; no trace",
            ),
            ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "sink otlp: otlp"),
            (sink, {"OTEL_PROPAGATORS": "none"}, "what clients say of theirs is not heard"),
        ):
            with row((said, env)):
                result = self.check(said, **env)
                self.assertEqual(result.exit_code, 0, result.output)
                self.assertIn(line, result.output)
        self.assertNotIn("tracing", self.check().output)

    def test_wrong(self) -> None:
        """What is wrong with a sink, or with a variable, is found before anything starts."""
        for said, env, sentence in (
            ("sinks: [{name: tel, type: otlp, endpoint: 'grpc://c'}]", {}, "sink 'tel': endpoint: expected a URL"),
            ("sinks: [{name: tel, type: otlp, endpoit: 'http://c'}]", {}, "unknown setting 'endpoit'"),
            ("sinks: [{name: x, type: nothing}]", {}, "there is no sink of type 'nothing'"),
            (
                "",
                {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
                "OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf",
            ),
        ):
            with row((said, env)):
                result = self.check(said, **env)
                self.assertEqual(result.exit_code, 1, result.output)
                self.assertIn(sentence, result.output)
