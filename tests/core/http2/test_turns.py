"""Tests for L{llmproxy.core.http2.turns}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2.turns import Turns


class TurnTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.turns = Turns()
        self.frames = {1: 3, 3: 1, 5: 2}
        self.sent: list[int] = []
        for stream in self.frames:
            self.turns.add(stream)

    def send(self, stream: int) -> bool:
        self.sent.append(stream)
        self.frames[stream] -= 1
        return self.frames[stream] > 0

    def test_in_turns(self) -> None:
        """Each sends one frame, then the next; none waits for the end of another."""
        self.turns.take(self.send, lambda: True)
        self.assertEqual((self.sent, bool(self.turns)), ([1, 3, 5, 1, 5, 1], False))

    def test_stopped(self) -> None:
        """Where the client takes no more the next goes on later, with whose turn it was."""
        self.turns.take(self.send, lambda: len(self.sent) < 2)
        self.assertEqual((self.sent, bool(self.turns)), ([1, 3], True))
        self.turns.take(self.send, lambda: True)
        self.assertEqual(self.sent, [1, 3, 5, 1, 5, 1])

    def test_again(self) -> None:
        """One that waits keeps its place, one that is gone has none."""
        self.turns.add(1)
        self.turns.remove(3)
        self.turns.remove(7)
        self.turns.take(self.send, lambda: True)
        self.assertEqual(self.sent, [1, 5, 1, 5, 1])

    def test_within(self) -> None:
        """A stream that is added or removed while another sends is seen."""

        def send(stream: int) -> bool:
            self.sent.append(stream)
            if stream == 1:
                self.turns.remove(3)
                self.turns.add(9)
            return False

        self.turns.take(send, lambda: True)
        self.assertEqual(self.sent, [1, 5, 9])
