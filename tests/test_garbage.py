"""The count of what is left to the collector."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from .garbage import Garbage


class GarbageTests(SynchronousTestCase):
    def test_counts_what_came(self) -> None:
        """Cycles that came in the block are counted, once each; what was there before is not looked at."""
        before = _cycle()
        del before
        with Garbage() as garbage:
            self.assertEqual(garbage.collected(), 0)
            for _ in range(10):
                _cycle()
            self.assertEqual((garbage.collected(), garbage.collected()), (10, 0))
        self.assertTrue(gc.isenabled())


def _cycle() -> list[object]:
    items: list[object] = []
    items.append(items)
    return items
