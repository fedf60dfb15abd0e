"""Tests for L{llmproxy.bench.lifeline}; tests/integration/test_benchmark.py kills a whole benchmark."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

PROGRAM = """
import signal, sys
from llmproxy.bench.lifeline import hold

hold(0, sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
"""


class HoldTests(SynchronousTestCase):
    def test_other_end_is_gone(self) -> None:
        """The process ends as by SIGTERM, and its directory with it; what is written to the pipe means nothing."""
        directory = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(directory, "inside"))
        command = [sys.executable, "-c", PROGRAM, directory]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=os.getcwd(),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.addCleanup(process.kill)
        assert process.stdin is not None and process.stdout is not None
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.stdin.write(b"anything")
        process.stdin.flush()
        self.assertIsNone(process.poll())
        process.stdin.close()
        self.assertEqual(process.wait(30), 7)
        process.stdout.close()
        self.assertFalse(os.path.exists(directory))
