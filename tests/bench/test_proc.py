"""Tests for L{llmproxy.bench.proc}."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.proc import allow_descriptors, cpu_seconds, family, listening_port, resident

NOBODY = 1 << 30


class ProcTests(SynchronousTestCase):
    def test_ourselves(self) -> None:
        """A process has time and memory, and is of its own family."""
        me = os.getpid()
        self.assertGreater(cpu_seconds([me]), 0)
        self.assertGreater(resident([me]), 1 << 20)
        self.assertIn(me, family([me]))

    def test_once(self) -> None:
        """A process that is named twice counts once."""
        me = os.getpid()
        self.assertLess(resident([me, me]), 2 * resident([me]))

    def test_nobody(self) -> None:
        """A process that has ended is nothing, not an error."""
        self.assertEqual((cpu_seconds([NOBODY]), resident([NOBODY])), (0.0, 0))

    def test_listening(self) -> None:
        """A port that a process got from the system is known as soon as it is open."""
        script = (
            "import socket, sys; one = socket.create_server(('127.0.0.1', 0)); "
            "print(one.getsockname()[1], flush=True); sys.stdin.read()"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdin is not None
            port = int(process.stdout.readline())
            self.assertEqual(listening_port(process.pid), port)
            process.stdin.close()
        self.assertIsNone(listening_port(NOBODY))

    def test_descriptors(self) -> None:
        """As many as the system lets us have."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        allow_descriptors()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE)[0], hard)
