"""The options of C{llmproxy demo-upstream}; what it answers is tested in tests/demo."""

from __future__ import annotations

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.demo_upstream import command


class DemoUpstreamTests(SynchronousTestCase):
    def test_key_is_no_argument(self) -> None:
        """A key comes from a file: arguments can be read by everybody on the machine."""
        told = CliRunner().invoke(command, ["--help"]).output
        self.assertIn("--key-file", told)
        self.assertNotIn("--key ", told)

    def test_no_such_file(self) -> None:
        """A file that is not there is told before anything listens."""
        ended = CliRunner().invoke(command, ["--key-file", "none"])
        self.assertEqual(ended.exit_code, 2)
        self.assertIn("none", ended.stderr)
