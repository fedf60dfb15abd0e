"""Bytes of events in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.policy import PLAIN_SIZE
from llmproxy.sinks.heldbytes import HeldBytes


class HeldBytesTests(SynchronousTestCase):
    def test_comes_and_goes(self) -> None:
        """What leaves is what came first, wherever the batches end."""
        held = HeldBytes()
        held.add(3, None)
        held.add(2, [10, 20])
        self.assertEqual(held.total, 3 * PLAIN_SIZE + 30)
        held.left(2)
        held.left(2)
        self.assertEqual(held.total, 20)
        held.left(1)
        self.assertEqual(held.total, 0)

    def test_room(self) -> None:
        """As many as fit, from the first."""
        held = HeldBytes()
        self.assertEqual(held.room(3 * PLAIN_SIZE, 5, None), 3)
        self.assertEqual(held.room(25, 3, [10, 10, 10]), 2)
        self.assertEqual(held.room(100, 3, [10, 10, 10]), 3)
        held.add(1, [100])
        self.assertEqual((held.room(50, 2, None), held.room(50, 1, [1])), (0, 0))
