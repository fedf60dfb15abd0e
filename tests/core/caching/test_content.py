"""Tests for L{llmproxy.core.caching.content}: large content in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.content import BLOCK, LARGE, Pieces, blocks, content_of_pieces

SOME = st.lists(st.binary(min_size=1, max_size=5), max_size=8)
PLACE = st.none() | st.integers(-50, 50)


class PiecesTests(SynchronousTestCase):
    @given(SOME, PLACE, PLACE)
    def test_parts(self, pieces: list[bytes], start: int | None, stop: int | None) -> None:
        """Every part is the same as of bytes."""
        whole = b"".join(pieces)
        self.assertEqual(bytes(Pieces(pieces)[start:stop]), whole[start:stop])

    @given(SOME, st.data())
    def test_equal(self, pieces: list[bytes], data: st.DataObject) -> None:
        """What was the same content stays the same, however it came."""
        whole = b"".join(pieces)
        at = data.draw(st.integers(0, len(whole)))
        otherwise = Pieces([part for part in (whole[:at], whole[at:]) if part])
        self.assertTrue(Pieces(pieces) == otherwise == whole == Pieces(pieces))
        self.assertEqual((len(otherwise), bytes(otherwise)), (len(whole), whole))

    def test_unequal(self) -> None:
        """Other bytes, another length and other things are not the same."""
        pieces = Pieces([b"ab", b"c"])
        for other in (b"abd", b"ab", Pieces([b"ab"]), "abc", None):
            self.assertFalse(pieces == other, other)

    def test_large_parts_are_not_copied(self) -> None:
        """A part of large content has the pieces that the whole has, but for its two ends."""
        pieces = [bytes([number]) * LARGE for number in range(5)]
        part = Pieces(pieces)[10 : 5 * LARGE - 10]
        assert isinstance(part, Pieces)
        self.assertEqual([part.pieces[at] is pieces[at] for at in range(5)], [False, True, True, True, False])
        self.assertEqual(part.pieces[0], bytes(LARGE - 10))

    def test_no_steps(self) -> None:
        """Nothing in HTTP asks for every second byte."""
        with self.assertRaises(ValueError):
            Pieces([b"abc"])[::2]

    def test_not_shown(self) -> None:
        """No content gets into a log."""
        self.assertEqual(repr(Pieces([b"secret", b"s"])), "<Pieces of 7 bytes>")


class ContentTests(SynchronousTestCase):
    def test_small_is_joined(self) -> None:
        """Up to a size content is bytes, in whatever it came; above, nothing is copied."""
        half = bytes(LARGE // 2)
        self.assertIsInstance(content_of_pieces([half, half]), bytes)
        content = content_of_pieces([half, half, b"1"])
        assert isinstance(content, Pieces)
        self.assertIs(content.pieces[0], half)
        self.assertEqual([content_of_pieces([]), content_of_pieces([b"a"])], [b"", b"a"])

    def test_blocks(self) -> None:
        """Large content in one piece is handed out in several."""
        content = bytes(range(256)) * (BLOCK // 128) + b"!"
        handed = list(blocks(content))
        self.assertEqual((b"".join(handed), [len(block) for block in handed]), (content, [BLOCK, BLOCK, 1]))
        self.assertEqual(list(blocks(Pieces([b"ab", b"c"]))), [b"ab", b"c"])
