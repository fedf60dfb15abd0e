"""Tests for L{llmproxy.core.framebounds}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.framebounds import FrameBounds
from llmproxy.core.websocket import BINARY, CLOSE, PING, TEXT, close, frame

from ..properties import examples

FRAMES = st.tuples(
    st.sampled_from([TEXT, BINARY, PING]), st.sampled_from([0, 1, 125, 126, 300, 65_536]), st.booleans(), st.booleans()
)


class FrameBoundsTests(SynchronousTestCase):
    @given(st.lists(FRAMES, max_size=4), st.integers(1, 70_000))
    @settings(max_examples=examples(40), deadline=None)
    def test_any_split(self, kinds: list[tuple[int, int, bool, bool]], step: int) -> None:
        """Frames of every length, masked or compressed, end where they end, however they come."""
        bounds, whole = FrameBounds(), b""
        ends = {0}
        for opcode, size, mask, compressed in kinds:
            one = frame(opcode, b"\x88" * size, mask=mask)
            whole += bytes((one[0] | 0x40 * compressed,)) + one[1:]
            ends.add(len(whole))
        for at in range(0, len(whole), step):
            piece = whole[at : at + step]
            bounds.feed(piece)
            self.assertEqual(bounds.between, at + len(piece) in ends, at)
        self.assertFalse(bounds.closed)

    def test_closed(self) -> None:
        """A close frame is seen in any company, and what looks like one in a payload is none."""
        for data, closed in (
            (close(1000), True),
            (frame(TEXT, b"hi") + close(1001, "bye", mask=True), True),
            (frame(TEXT, close(1000)), False),
            (close(1000)[:1], False),
            (b"", False),
        ):
            bounds = FrameBounds()
            bounds.feed(data)
            self.assertEqual(bounds.closed, closed, data)
        self.assertEqual(CLOSE, 0x8)
