"""Tests for L{llmproxy.core.websocket}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core import websocket
from llmproxy.core.websocket import BINARY, CLOSE, CONTINUATION, PING, TEXT, FrameError, FrameReader, Part

from ..properties import examples
from ..tables import row

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 70000)


def raw_frame(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + rest


def read(data: bytes, size: int = 1 << 20, side: str = "client") -> list[Part]:
    reader = FrameReader(side)  # type: ignore[arg-type]
    return [part for at in range(0, len(data), size) for part in reader.feed(data[at : at + size])]


class FrameReaderTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """A payload of any size comes out as it was sent, masked or not."""
        for size in SIZES:
            payload = bytes(range(256)) * (size // 256 + 1)
            payload = payload[:size]
            for side in ("client", "server"):
                data = websocket.frame(BINARY, payload, mask=side == "client")
                parts = read(data, side=side)
                self.assertEqual(b"".join(part.payload for part in parts), payload, side)
                self.assertEqual(b"".join(part.raw for part in parts), data, side)
                self.assertTrue(parts[0].begins and parts[-1].ends, (size, side))

    @given(
        st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), st.binary(max_size=200)), max_size=4),
        st.integers(1, 40),
    )
    @settings(max_examples=examples(100), deadline=None)
    def test_every_split(self, frames: list[tuple[int, bytes]], size: int) -> None:
        """However the bytes arrive, the frames are the same, and no byte is lost."""
        frames = [(opcode, payload[:125]) for opcode, payload in frames]
        data = b"".join(websocket.frame(opcode, payload, mask=True) for opcode, payload in frames)
        found: list[tuple[int, bytes]] = []
        for part in read(data, size):
            if part.begins:
                found.append((part.frame.opcode, b""))
            found[-1] = (found[-1][0], found[-1][1] + part.payload)
        self.assertEqual(found, frames)
        self.assertEqual(b"".join(part.raw for part in read(data, size)), data)

    def test_deflated(self) -> None:
        """A compressed message is one for who can undo it: its first frame says so, and nothing else is let in."""
        [part] = FrameReader("server", deflates=True).feed(raw_frame(0xC1, 1, b"a"))
        self.assertTrue(part.frame.deflated)
        [part] = FrameReader("server", deflates=True).feed(raw_frame(0x81, 1, b"a"))
        self.assertFalse(part.frame.deflated)
        for first, deflates in ((0xC1, False), (0xE1, True), (0xA1, True), (0xC9, True), (0x40, True)):
            reader = FrameReader("server", deflates=deflates)
            with row(first):
                self.assertRaises(FrameError, list, reader.feed(raw_frame(first, 1, b"a")))

    def test_fragments(self) -> None:
        """A message in fragments, with a ping between them."""
        reader = FrameReader("server")
        self.assertEqual(len(list(reader.feed(raw_frame(TEXT, 1, b"a")))), 1)
        self.assertTrue(reader.fragmented and reader.between)
        parts = list(reader.feed(websocket.frame(PING, b"p") + raw_frame(0x80 | CONTINUATION, 1, b"b")))
        self.assertEqual([part.frame.opcode for part in parts], [PING, CONTINUATION])
        self.assertFalse(reader.fragmented)
        list(reader.feed(b"\x81"))
        self.assertFalse(reader.between)

    def test_errors(self) -> None:
        """What RFC 6455 forbids is an error, since the next reader could find other frames in it."""
        mask = b"\1\2\3\4"
        for data in (
            raw_frame(0x81, 0x01, b"a"),
            raw_frame(0xC1, 0x80, mask),
            raw_frame(0x91, 0x80, mask),
            raw_frame(0x83, 0x80, mask),
            raw_frame(0x8B, 0x80, mask),
            raw_frame(0x80, 0x80, mask),
            raw_frame(0x01, 0x80, mask) + raw_frame(0x81, 0x80, mask),
            raw_frame(0x09, 0x80, mask),
            raw_frame(0x89, 0xFE, b"\x00\x7e" + mask),
            raw_frame(0x81, 0xFE, b"\x00\x7d" + mask),
            raw_frame(0x81, 0xFF, b"\0" * 6 + b"\xff\xff" + mask),
            raw_frame(0x81, 0xFF, b"\x80" + b"\0" * 7 + mask),
        ):
            for size in (1, 1000):
                with row(data, size):
                    error = self.assertRaises(FrameError, read, data, size)
                self.assertEqual(error.code, 1002, data)
        self.assertRaises(FrameError, read, raw_frame(0x81, 0x81, mask + b"a"), 1000, "server")


class FrameTests(SynchronousTestCase):
    def test_example(self) -> None:
        """The examples of RFC 6455 section 5.7."""
        self.assertEqual(websocket.frame(TEXT, b"Hello"), b"\x81\x05Hello")
        self.assertEqual(read(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")[0].payload, b"Hello")

    def test_close(self) -> None:
        """A reason is cut at a whole character where it does not fit."""
        self.assertEqual(websocket.close(1008, "no"), bytes((0x80 | CLOSE, 4)) + b"\x03\xf0no")
        data = websocket.close(1008, "ü" * 100, mask=True)
        payload = read(data)[0].payload
        self.assertEqual((len(payload), payload[2:].decode()), (124, "ü" * 61))
        self.assertEqual(read(websocket.close(1008, "\ud800", mask=True))[0].payload[2:], b"?")
