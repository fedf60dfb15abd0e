"""Tests for L{llmproxy.cli.check_capture}."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.check import command

_API = "base_url: https://a.example, allowed_methods: [GET], allowed_endpoints: [/v1]"


class CheckCaptureTests(SynchronousTestCase):
    def _check(self, capture: str, sinks: str, env: dict[str, str] | None = None) -> str:
        path = self.mktemp()
        Path(path).write_text(f"default_api: a\nsinks: {sinks}\napis:\n  a: {{{_API}{capture}}}\n")
        result = CliRunner().invoke(command, [path], env=env)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def test_shown(self) -> None:
        """What is kept of what is said, what is taken out of it, and where it goes."""
        output = self._check(
            ", capture: {request: 1KiB, response: 5, sample: 0.1, headers: [x-b, x-a], opt_out: on,"
            " redact: [$.user, email, {regex: 'P-\\d+'}]}",
            "[{name: log, type: file, path: ./events.jsonl}]",
        )
        for line in (
            "  captured: of 10 % of the exchanges, 1 KiB of each request, 5 bytes of each answer\n",
            "  captured fields: x-a, x-b\n",
            "  taken out of that: $.user, email, an expression (P-\\d+), and what looks like a secret\n",
            "  clients may ask not to be captured: X-LLMProxy-Capture: off\n",
            "\ncapture: prompts and answers of a are kept in events, which go to log (file)\n",
        ):
            self.assertIn(line, output)

    def test_nothing(self) -> None:
        """Where nothing is captured, nothing is said of it."""
        self.assertNotIn("captured", self._check("", "[]"))

    def test_no_sink(self) -> None:
        """Where it is on and goes nowhere, that is said; by the environment too."""
        for capture, env in ((", capture: {request: 0}", {}), ("", {"OBSERVABILITY_ENABLED": "true"})):
            output = self._check(capture, "[]", env)
            self.assertIn("of each answer\n", output, capture)
            self.assertIn(
                "\ncapture: nothing of what is said to a is kept, as there is no sink for it", output, capture
            )

    def test_sink_of_environment(self) -> None:
        """A sink that a variable makes is one."""
        env = {"OBSERVABILITY_ENABLED": "true", "FILE_EVENT_LOG": "./events.jsonl"}
        self.assertIn("which go to file-event-log (file)\n", self._check("", "[]", env))
