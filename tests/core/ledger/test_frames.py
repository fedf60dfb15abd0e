"""Tests of frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.frames import BEGUN, ENDED, OVERHEAD, USED, frame, frames, is_clean_end

CONTENTS = st.lists(st.binary(min_size=1, max_size=50), max_size=5)


class FrameTests(SynchronousTestCase):
    @given(CONTENTS, st.integers(0, 40))
    def test_written_and_read(self, contents: list[bytes], zeros: int) -> None:
        """What was written is read again, up to the zeros that nobody has written over."""
        written = b"".join(frame(ENDED, each) for each in contents)
        found = list(frames(written + bytes(zeros)))
        self.assertEqual([content for _, content, _ in found], contents)
        self.assertEqual({kind for kind, _, _ in found} | {ENDED}, {ENDED})
        end = found[-1][2] if found else 0
        self.assertEqual(end, len(written))
        self.assertTrue(is_clean_end(written + bytes(zeros), end))

    def test_cut_anywhere(self) -> None:
        """Of what was written when its process was killed, whole frames are read and no other, wherever it was cut."""
        whole = [frame(BEGUN | USED, b"first"), frame(ENDED, b"second one")]
        written = b"".join(whole)
        for cut in range(len(written) + 1):
            kept = [content for _, content, _ in frames(written[:cut] + bytes(len(written) - cut + 30))]
            wanted = [] if cut < len(whole[0]) else [b"first"] if cut < len(written) else [b"first", b"second one"]
            self.assertEqual(kept, wanted, cut)
            if 0 < cut < len(whole[0]):
                self.assertFalse(is_clean_end(written[:cut] + bytes(40), 0), cut)

    @given(CONTENTS.filter(bool), st.data())
    def test_damaged(self, contents: list[bytes], data: st.DataObject) -> None:
        """A byte that is another one ends what can be read before its frame; nothing wrong is read."""
        written = bytearray(b"".join(frame(ENDED, each) for each in contents))
        place = data.draw(st.integers(0, len(written) - 1))
        written[place] ^= data.draw(st.integers(1, 255))
        found = [content for _, content, _ in frames(bytes(written))]
        self.assertEqual(found, contents[: len(found)])
        self.assertLess(len(found), len(contents))

    def test_start(self) -> None:
        """Reading goes on where it has ended."""
        written = frame(ENDED, b"1") + frame(ENDED, b"2")
        self.assertEqual([content for _, content, _ in frames(memoryview(written), OVERHEAD + 1)], [b"2"])
