"""Tests for L{llmproxy.bench.proc}."""

from __future__ import annotations

import os
import resource

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.proc import allow_descriptors, cpu_seconds, family, resident

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

    def test_descriptors(self) -> None:
        """As many as the system lets us have."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        allow_descriptors()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE)[0], hard)
