"""Tests for L{llmproxy.core.http2.frames}, against hyperframe."""

from __future__ import annotations

import h2.errors
from hyperframe import frame as hyperframe
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2 import frames
from llmproxy.core.http2.frames import ConnectionFault, ErrorCode

from ...tables import row


def read(data: bytes) -> hyperframe.Frame:
    """The one frame in C{data}."""
    found, length = hyperframe.Frame.parse_frame_header(memoryview(data[:9]))
    assert len(data) == 9 + length
    found.parse_body(memoryview(data[9:]))
    return found


class WritingTests(SynchronousTestCase):
    def test_each(self) -> None:
        """What is written is read as what it was meant to be."""
        settings = read(frames.settings({frames.MAX_CONCURRENT_STREAMS: 100}))
        self.assertEqual(settings.settings, {hyperframe.SettingsFrame.MAX_CONCURRENT_STREAMS: 100})
        update = read(frames.window_update(3, 70_000))
        self.assertEqual((update.stream_id, update.window_increment), (3, 70_000))
        reset = read(frames.reset(5, ErrorCode.CANCEL))
        self.assertEqual((reset.stream_id, reset.error_code), (5, 8))
        goaway = read(frames.goaway(7, ErrorCode.PROTOCOL_ERROR, "why"))
        self.assertEqual((goaway.last_stream_id, goaway.error_code, goaway.additional_data), (7, 1, b"why"))
        data = read(frames.frame(frames.DATA, frames.END_STREAM, 2**31 - 1, b"x" * 16_384))
        self.assertEqual((data.stream_id, len(data.data), set(data.flags)), (2**31 - 1, 16_384, {"END_STREAM"}))

    def test_codes(self) -> None:
        """Error codes have the numbers of RFC 9113 section 7."""
        for code in ErrorCode:
            self.assertEqual(code, h2.errors.ErrorCodes[code.name], code)


class ReadingTests(SynchronousTestCase):
    def test_padding(self) -> None:
        """Padding is taken off; more of it than there is payload is a fault."""
        self.assertEqual(frames.unpadded(0, b"abc"), b"abc")
        self.assertEqual(frames.unpadded(frames.PADDED, b"\2abc\0\0"), b"abc")
        self.assertEqual(frames.unpadded(frames.PADDED, b"\0abc"), b"abc")
        self.assertEqual(frames.unpadded(frames.PADDED, b"\2\0\0"), b"")
        for bad, code in ((b"\3\0\0", ErrorCode.PROTOCOL_ERROR), (b"", ErrorCode.FRAME_SIZE_ERROR)):
            with row(bad):
                fault = self.assertRaises(ConnectionFault, frames.unpadded, frames.PADDED, bad)
            self.assertEqual(fault.code, code, (bad, code))

    def test_priority(self) -> None:
        """What a HEADERS frame says of priority stands before the section."""
        self.assertEqual(frames.without_priority(0, b"abcdef"), (b"abcdef", None))
        self.assertEqual(frames.without_priority(frames.PRIORITIZED, b"\x80\0\0\3\x10abc"), (b"abc", 3))
        self.assertRaises(ConnectionFault, frames.without_priority, frames.PRIORITIZED, b"\0\0\0\0")

    def test_settings(self) -> None:
        """Values that RFC 9113 section 6.5.2 forbids are faults, each with its code."""
        for name, value, code in (
            (frames.ENABLE_PUSH, 2, ErrorCode.PROTOCOL_ERROR),
            (frames.INITIAL_WINDOW_SIZE, 2**31, ErrorCode.FLOW_CONTROL_ERROR),
            (frames.MAX_FRAME_SIZE, 16_383, ErrorCode.PROTOCOL_ERROR),
            (frames.MAX_FRAME_SIZE, 2**24, ErrorCode.PROTOCOL_ERROR),
        ):
            with row(name):
                fault = self.assertRaises(ConnectionFault, frames.read_settings, frames.settings({name: value})[9:])
            self.assertEqual(fault.code, code, (name, value, code))
        fault = self.assertRaises(ConnectionFault, frames.read_settings, b"12345")
        self.assertEqual(fault.code, ErrorCode.FRAME_SIZE_ERROR)
        self.assertEqual(frames.read_settings(frames.settings({3: 1, 99: 7})[9:]), [(3, 1), (99, 7)])
