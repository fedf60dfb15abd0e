"""C{python -m llmproxy}."""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__

from .integration.processes import run


class MainTests(SynchronousTestCase):
    def test_command_line(self) -> None:
        """It is the command, where that is not on the path."""
        ended = run((sys.executable, "-m", "llmproxy", "version"), ".")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn(f"llmproxy {__version__} ", ended.stdout)
