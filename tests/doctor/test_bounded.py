"""Calls that may block."""

from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.doctor.bounded import MOST_AT_ONCE, Late, at_once


class BoundedTests(SynchronousTestCase):
    def test_each_its_own(self) -> None:
        """What each returns or raises, in their order, also of more than run at once."""

        def fail() -> int:
            raise ValueError("no")

        found = at_once([lambda number=number: number for number in range(MOST_AT_ONCE + 5)] + [fail], 30.0)
        self.assertEqual(found[:-1], list(range(MOST_AT_ONCE + 5)))
        self.assertIsInstance(found[-1], ValueError)

    def test_late(self) -> None:
        """Nobody waits for one that hangs, and what would come after it is late as well."""
        release = threading.Event()
        self.addCleanup(release.set)
        hanging = [lambda: release.wait(60)] * MOST_AT_ONCE
        found = at_once([*hanging, lambda: True], 0.05)
        self.assertEqual([type(each) for each in found], [Late] * (MOST_AT_ONCE + 1))
