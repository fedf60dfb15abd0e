"""The group of commands."""

from __future__ import annotations

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__
from llmproxy.cli.main import COMMANDS, cli


class MainTests(SynchronousTestCase):
    def test_help_tells_every_command(self) -> None:
        """Each command is listed with what it does, and its own help works."""
        listed = CliRunner().invoke(cli, ["--help"])
        for name, words in COMMANDS.items():
            self.assertIn(name, listed.output)
            self.assertIn(words[:30], listed.output)
            self.assertEqual(CliRunner().invoke(cli, [name, "--help"]).exit_code, 0, name)

    def test_unknown(self) -> None:
        """A command that is none is an error of use."""
        self.assertEqual(CliRunner().invoke(cli, ["srve"]).exit_code, 2)

    def test_version(self) -> None:
        """Both ways of asking tell the version."""
        for arguments in (["--version"], ["version"]):
            self.assertIn(__version__, CliRunner().invoke(cli, arguments).output)
