"""C{llmproxy completion}."""

from __future__ import annotations

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli


class CompletionTests(SynchronousTestCase):
    def test_scripts(self) -> None:
        """For each shell a script that asks llmproxy what could follow."""
        for shell in ("bash", "zsh", "fish"):
            script = CliRunner().invoke(cli, ["completion", shell])
            self.assertEqual(script.exit_code, 0, shell)
            self.assertIn("_LLMPROXY_COMPLETE", script.stdout)

    def test_answers(self) -> None:
        """What could follow is found in the commands that are loaded when they are needed."""
        env = {"_LLMPROXY_COMPLETE": "bash_complete", "COMP_WORDS": "llmproxy project li", "COMP_CWORD": "2"}
        asked = CliRunner().invoke(cli, [], env=env, prog_name="llmproxy")
        self.assertEqual(asked.output.strip(), "plain,list")
