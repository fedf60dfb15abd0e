"""Tests for L{llmproxy.bench.watching}."""

from __future__ import annotations

import io
import os

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.watching import Watching


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class WatchingTests(SynchronousTestCase):
    def told(self, stream: io.StringIO, quiet: bool = False) -> str:
        with Watching(stream, quiet) as watching:
            for name, done in (("first run", 0), ("first run", 1234), ("second run", 5)):
                watching.progress(name, 2.0, done)
            if stream.isatty():
                watching._bar.refresh()
        return stream.getvalue()

    def test_elsewhere(self) -> None:
        """In a file or a pipe each run is one line, and nothing moves."""
        self.assertEqual(self.told(io.StringIO()), "first run\nsecond run\n")

    def test_terminal(self) -> None:
        """On a terminal the current run is shown, and how many answers there are."""
        self.patch(os, "environ", {**os.environ, "TERM": "xterm"})
        shown = self.told(Terminal())
        self.assertIn("second run", shown)

    def test_quiet(self) -> None:
        """Asked to be quiet it is."""
        self.assertEqual(self.told(io.StringIO(), quiet=True), "")
