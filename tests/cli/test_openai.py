"""C{llmproxy openai}."""

from __future__ import annotations

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli


class OpenAITests(SynchronousTestCase):
    def run_(self, *arguments: str) -> str:
        result = CliRunner().invoke(cli, arguments)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def test_same_command(self) -> None:
        """Its chat takes every option of C{llmproxy chat}."""
        alias = self.run_("openai", "chat", "--help").replace("openai chat", "chat")
        # Help is wrapped by the length of the name.
        self.assertEqual(alias.split(), self.run_("chat", "--help").split())

    def test_hidden(self) -> None:
        """Help lists it once, under its own name."""
        listed = [line.split()[0] for line in self.run_("--help").splitlines() if line.startswith("  ")]
        self.assertEqual(("chat" in listed, "openai" in listed), (True, False))

    def test_nothing_else(self) -> None:
        """Another word is an error of use, not a conversation."""
        self.assertEqual(CliRunner().invoke(cli, ["openai", "token"]).exit_code, 2)
