"""A server in the background; tests/integration/test_oldcommands.py starts one."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.daemon import VARIABLE, Daemon, report_to_parent
from llmproxy.cli.faults import Fault


class ReportTests(SynchronousTestCase):
    def test_when_it_serves(self) -> None:
        """The parent hears of it then, not before, and no child of the server has the descriptor."""
        there, here = os.pipe()
        os.set_blocking(there, False)
        os.environ[VARIABLE] = str(here)
        started: Deferred[str] = Deferred()
        report_to_parent(started)
        self.assertNotIn(VARIABLE, os.environ)
        self.assertFalse(os.get_inheritable(here))
        with self.assertRaises(BlockingIOError):
            os.read(there, 1)
        started.callback("ports")
        self.assertEqual(self.successResultOf(started), "ports")
        self.assertEqual(os.read(there, 2), b"+")
        self.assertRaises(OSError, os.fstat, here)
        os.close(there)

    def test_nobody_waits(self) -> None:
        """In the foreground nothing happens."""
        started: Deferred[None] = Deferred()
        report_to_parent(started)
        started.callback(None)
        self.assertIsNone(self.successResultOf(started))


class DaemonTests(SynchronousTestCase):
    def test_log(self) -> None:
        """One that cannot be written is said before anything is started."""
        os.makedirs(directory := self.mktemp())
        fault = self.assertRaises(Fault, Daemon([], directory, "x.pid", "").start)
        self.assertIn("cannot be written", str(fault))
