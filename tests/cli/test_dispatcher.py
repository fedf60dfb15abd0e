"""C{llmproxy dispatcher}, up to where it would read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.dispatcher import command

from ..tables import row


class DispatcherTests(SynchronousTestCase):
    def run_with(self, *words: str, **env: str) -> Any:
        nothing = dict.fromkeys(
            ("DISPATCHER_SERVICE", "DISPATCHER_ENDPOINT", "LLM_PROXY_API_KEY", "REDIS_URL", "LOG_LEVEL")
        )
        return CliRunner().invoke(command, words, env={**nothing, **env})

    def test_wrong(self) -> None:
        """What is wrong is said, and nothing is begun."""
        for words, env, said in (
            ((), {}, "file plugin requires 'endpoint' configuration (file path)"),
            (("--service", "kafka"), {}, "unknown plugin: kafka"),
            (("--service", "lunary"), {}, "lunary plugin requires an API key"),
            (("--endpoint", "x"), {"LOG_LEVEL": "loud"}, "LOG_LEVEL: expected one of debug"),
            (("--config", "/none.yaml"), {}, "/none.yaml: cannot be read"),
            (("--env", "/none.env"), {}, "/none.env: cannot be read"),
            (("--service", "lunary", "--api-key-file", "/none"), {}, "/none: cannot be read"),
        ):
            with row(words, env):
                result = self.run_with(*words, **env)
                self.assertEqual(result.exit_code, 1, result.output)
                self.assertIn(said, result.output)

    def test_sinks_are_checked(self) -> None:
        """So is what a sink of a file does not know."""
        path = self.mktemp()
        Path(path).write_text("sinks: [{name: log, type: file, path: e.jsonl, shape: round}]\n")
        result = self.run_with("--config", path)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("sink 'log': shape: unknown setting 'shape'", result.output)

    def test_use(self) -> None:
        """Options that there are not, and values that they have not, are errors of use."""
        for words in (("--kafka",), ("--schema", "2"), ("x",)):
            with row(words):
                self.assertEqual(self.run_with(*words).exit_code, 2)

    def test_help(self) -> None:
        """Each option says the variable that stands for it."""
        text = self.run_with("--help").output
        for word in (
            *("DISPATCHER_SERVICE", "DISPATCHER_ENDPOINT", "LLM_PROXY_API_KEY", "DISPATCHER_BUFFER"),
            *("DISPATCHER_BATCH_SIZE", "DISPATCHER_DETACH", "DISPATCHER_LISTEN", "REDIS_CONSUMER_GROUP", "REDIS_URL"),
        ):
            self.assertIn(word, text)
