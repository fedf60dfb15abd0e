"""The file that a command writes to."""

from __future__ import annotations

import contextlib
import io
import os

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.faults import Fault
from llmproxy.cli.outputfile import opened


class OpenedTests(SynchronousTestCase):
    def test_private(self) -> None:
        """It is its owner's alone, and what was there is gone."""
        path = self.mktemp()
        for text in ("longer\r\n", "a\n"):
            with opened(path) as file:
                file.write(text)
        with open(path, "rb") as read:
            self.assertEqual(read.read(), b"a\n")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_stdout(self) -> None:
        """A - is standard output, which stays open."""
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout), opened("-") as file:
            file.write("a")
        self.assertEqual(stdout.getvalue(), "a")

    def test_refused(self) -> None:
        """Where nothing can be written, the path is named."""

        def write() -> None:
            with opened("/nowhere/x"):
                pass

        self.assertIn("/nowhere/x: cannot be written", str(self.assertRaises(Fault, write)))
