"""The options of C{llmproxy serve}; tests/integration starts it."""

from __future__ import annotations

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.serve import command
from llmproxy.tap import Options

ENV = {"MANAGEMENT_TOKEN": "3f9c1e7ab4d2068f5e93c7a1b0d4f682", "API_CONFIG_PATH": "", "LISTEN_ADDR": ""}


class ServeTests(SynchronousTestCase):
    def test_same_options_as_twistd(self) -> None:
        """Whoever knows one of the two ways to start knows the other."""
        here = {parameter.name.replace("_", "-") for parameter in command.params if parameter.name}
        there = {name.rstrip("=") for name in Options().longOpt} - {"help", "version"}
        self.assertEqual(here, there)

    def test_all_problems(self) -> None:
        """What is wrong is told a line a problem on stderr, without a traceback, and the status is 1."""
        ended = CliRunner().invoke(command, ["--config", "none.yaml", "--listen", "nowhere"], env=ENV)
        self.assertEqual((ended.exit_code, ended.stdout), (1, ""))
        self.assertIn("--listen: expected an address", ended.stderr)
        self.assertIn("none.yaml: cannot be read", ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)

    def test_use(self) -> None:
        """A duration that is none is an error of use, as twistd's."""
        self.assertEqual(CliRunner().invoke(command, ["--drain", "long"], env=ENV).exit_code, 2)
