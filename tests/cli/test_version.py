"""C{llmproxy version}."""

from __future__ import annotations

import platform

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__
from llmproxy.cli import version
from llmproxy.cli.version import command
from twisted import __version__ as twisted_version


class VersionTests(SynchronousTestCase):
    def test_what_a_report_needs(self) -> None:
        """One line with our version and those of Python and Twisted."""
        told = CliRunner().invoke(command).output
        for text in (f"llmproxy {__version__}", platform.python_version(), f"Twisted {twisted_version}"):
            self.assertIn(text, told)
        self.assertEqual(told.count("\n"), 1)

    def test_build(self) -> None:
        """It says which of the two builds runs."""
        for is_compiled, said in ((True, "(compiled, Python"), (False, "(pure Python, Python")):
            self.patch(version, "is_compiled", lambda known=is_compiled: known)
            self.assertIn(said, CliRunner().invoke(command).output)
