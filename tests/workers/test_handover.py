"""Tests for L{llmproxy.workers.handover}."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.workers.handover import TRIAL, VARIABLE, FormerWorker, Handover, HeldSocket, is_trial, taken


class HandoverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(5)]
        for fd in self.fds:
            self.addCleanup(os.close, fd)
        a, b, c, d, e = self.fds
        self.left = Handover((HeldSocket("--listen", "tcp:1", a, 2),), (FormerWorker(7, 0, b, c),), d, 4, 1, ready=e)

    def test_once(self) -> None:
        """It comes out as it went in, and nobody gets it a second time."""
        env = {VARIABLE: self.left.packed(), "OTHER": "x"}
        self.assertEqual(taken(env), self.left)
        self.assertEqual(env, {"OTHER": "x"})
        self.assertIsNone(taken(env))

    def test_descriptors(self) -> None:
        """All of them outlive the exec, and none is passed on by accident after it."""
        self.assertEqual(sorted(self.left.descriptors), sorted(self.fds))
        self.left.leave_open()
        self.assertTrue(all(map(os.get_inheritable, self.fds)))
        taken({VARIABLE: self.left.packed()})
        self.assertFalse(any(map(os.get_inheritable, self.fds)))
        self.assertEqual(Handover().descriptors, [])

    def test_trial(self) -> None:
        self.assertTrue(is_trial({TRIAL: "1"}))
        self.assertFalse(is_trial({}))
