"""C{llmproxy check}."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.check import command

EXAMPLE = str(Path(__file__).parents[2] / "config" / "apis.yaml")


class CheckTests(SynchronousTestCase):
    def test_shows_what_would_be_served(self) -> None:
        """Each API with its paths, its address, the place of its key and what may be asked."""
        result = CliRunner().invoke(command, [EXAMPLE])
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("openai: / and /openai/ -> https://api.openai.com, key in header Authorization", result.output)
        self.assertIn("groq: /groq/ -> https://api.groq.com/openai", result.output)
        self.assertIn("gemini: /gemini/", result.output)
        self.assertIn("/v1/chat/completions", result.output)
        self.assertTrue(result.output.endswith(": ok\n"))

    def test_tells_all_problems(self) -> None:
        """Every problem is a line on stderr, and the status is 1."""
        path = self.mktemp()
        Path(path).write_text("default_api: a\napis:\n  a: {base_url: nope, dialect: no}\n")
        result = CliRunner().invoke(command, [path])
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(len(result.stderr.splitlines()), 4)
        self.assertTrue(all(line.startswith(f"{path}:3:") for line in result.stderr.splitlines()))

    def test_another_default(self) -> None:
        """What would be served with DEFAULT_API_PROVIDER set can be seen."""
        result = CliRunner().invoke(command, [EXAMPLE, "--default-api", "groq"])
        self.assertIn("groq: / and /groq/", result.output)
        self.assertEqual(CliRunner().invoke(command, [EXAMPLE, "--default-api", "x"]).exit_code, 1)
