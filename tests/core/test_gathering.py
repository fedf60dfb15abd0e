"""Tests for L{llmproxy.core.gathering}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.gathering import PIECE, Gathered

from ..properties import examples


class GatheredTests(SynchronousTestCase):
    @given(st.lists(st.sampled_from([0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]), max_size=12))
    @settings(max_examples=examples(50), deadline=None)
    def test_any_pieces(self, sizes: list[int]) -> None:
        """What was added comes out in order, and then nothing is held."""
        gathered, data = Gathered(), b""
        for number, size in enumerate(sizes):
            gathered.add(bytes((number,)) * size)
            data += bytes((number,)) * size
        self.assertEqual(gathered.size, len(data))
        pieces = gathered.take()
        self.assertEqual((b"".join(pieces), gathered.size, gathered.take()), (data, 0, []))
        self.assertLessEqual(len(pieces), 2 * len(data) // PIECE + 1)

    def test_small(self) -> None:
        """Many small pieces are few objects."""
        gathered = Gathered()
        for _ in range(4 * PIECE):
            gathered.add(b"x")
        self.assertEqual([len(piece) for piece in gathered.take()], [PIECE] * 4)

    def test_joined(self) -> None:
        """All can be had in one piece, or be forgotten."""
        gathered = Gathered()
        gathered.add(b"a")
        gathered.add(b"b" * PIECE)
        self.assertEqual(gathered.joined(), b"a" + b"b" * PIECE)
        gathered.add(b"c")
        gathered.clear()
        self.assertEqual((gathered.joined(), gathered.size), (b"", 0))
