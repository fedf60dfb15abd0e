"""Tests for L{llmproxy.bench.slots}."""

from __future__ import annotations

import select

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.slots import Slots
from llmproxy.bench.values import LoadSpec

from .ends import Ends

SPEC = LoadSpec("closed", "h", 1, "")


class SlotsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ends = Ends()
        self.slots: Slots = self.ends.slots(SPEC)
        self.addCleanup(self.ends.close)
        self.addCleanup(self.slots.close_all)

    def test_refused(self) -> None:
        """A connection that cannot be had is counted, to be tried again."""
        self.ends.refuses = True
        self.assertIsNone(self.slots.open())
        self.assertEqual((self.slots.lost, self.slots.live), (1, {}))

    def test_close(self) -> None:
        """A closed connection is not waited for any more; closing it again does no harm."""
        slot = self.slots.open()
        assert slot is not None
        self.slots.close(slot)
        self.slots.close(slot)
        self.assertEqual((slot.open, self.slots.live), (False, {}))

    def test_what_does_not_fit(self) -> None:
        """A request that is larger than the socket's buffer arrives whole, as there is room."""
        slot = self.slots.open()
        assert slot is not None
        data = bytes(range(256)) * 8192
        self.slots.send(slot, data)
        self.assertTrue(slot.unsent)
        came = b""
        while len(came) < len(data):
            came += self.ends.peers[0].recv(1 << 20)
            for _fd, event in self.slots.poller.poll(0):
                if event & select.EPOLLOUT:
                    self.slots.flush(slot)
        self.assertEqual((came, slot.unsent), (data, b""))

    def test_a_broken_connection(self) -> None:
        """Sending to who has gone is no error yet: that shows when the answer is read."""
        slot = self.slots.open()
        assert slot is not None
        self.ends.close()
        self.slots.send(slot, b"x")
        self.slots.send(slot, b"x")
        self.assertEqual(slot.unsent, b"")
