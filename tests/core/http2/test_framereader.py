"""Tests for L{llmproxy.core.http2.framereader}."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2 import frames as wire
from llmproxy.core.http2.framereader import FieldBlock, Frame, FrameReader
from llmproxy.core.http2.frames import ConnectionFault, ErrorCode

from ...tables import row

SENT: list[Frame] = [
    (wire.SETTINGS, 0, 0, b""),
    (wire.HEADERS, wire.END_HEADERS, 1, b"head"),
    (wire.DATA, wire.END_STREAM, 1, b"x" * wire.SMALLEST_FRAME_LIMIT),
    (0xFF, 0xFF, wire.LARGEST_STREAM, b"what nobody knows"),
]
BYTES = wire.PREFACE + b"".join(wire.frame(*each) for each in SENT)


def read(reader: FrameReader, *pieces: bytes) -> list[Frame]:
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (frame := reader.next_frame()) is not None:
            found.append(frame)
    return found


class FrameReaderTests(SynchronousTestCase):
    def test_no_preface(self) -> None:
        """A server begins with its frames."""
        self.assertEqual(read(FrameReader(b""), BYTES.removeprefix(wire.PREFACE)), SENT)

    @given(st.lists(st.integers(0, len(BYTES)), max_size=6))
    def test_any_split(self, cuts: list[int]) -> None:
        """However the bytes come, they are the same frames, and nothing of them is held afterwards."""
        reader = FrameReader()
        at = [0, *sorted(cuts), len(BYTES)]
        self.assertEqual(read(reader, *(BYTES[start:end] for start, end in pairwise(at))), SENT)
        self.assertEqual(reader.unread, 0)

    def test_byte_by_byte(self) -> None:
        """Nor does it matter where the preface is cut."""
        self.assertEqual(read(FrameReader(), *(BYTES[at : at + 1] for at in range(200))), SENT[:2])

    def test_other_protocols(self) -> None:
        """What does not begin as HTTP/2 does is no HTTP/2, at its first other byte."""
        for data in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", wire.PREFACE[:-1] + b"x"):
            with row(data):
                fault = self.assertRaises(ConnectionFault, FrameReader().feed, data)
            self.assertEqual(fault.code, ErrorCode.PROTOCOL_ERROR, data)

    def test_too_large(self) -> None:
        """A frame that is larger than was allowed is refused by its head."""
        reader = FrameReader()
        reader.feed(wire.PREFACE + wire.frame(wire.DATA, 0, 1, b"x" * (wire.SMALLEST_FRAME_LIMIT + 1))[:9])
        fault = self.assertRaises(ConnectionFault, reader.next_frame)
        self.assertEqual(fault.code, ErrorCode.FRAME_SIZE_ERROR)

    def test_cleared(self) -> None:
        """What was not read can be dropped."""
        reader = FrameReader()
        self.assertEqual(read(reader, BYTES[:40]), SENT[:1])
        self.assertGreater(reader.unread, 0)
        reader.clear()
        self.assertEqual((reader.unread, reader.next_frame()), (0, None))


class FieldBlockTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """Its pieces are one section, up to the limit."""
        block = FieldBlock(5, wire.END_STREAM, None, 6)
        block.add(b"abc")
        block.add(b"")
        block.add(b"def")
        self.assertEqual((block.stream, block.flags, block.joined()), (5, wire.END_STREAM, b"abcdef"))
        self.assertEqual(self.assertRaises(ConnectionFault, block.add, b"g").code, ErrorCode.ENHANCE_YOUR_CALM)
