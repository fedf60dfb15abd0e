"""Tests for L{llmproxy.core.http2.streams}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2.frames import LARGEST_WINDOW, ConnectionFault, ErrorCode, StreamFault
from llmproxy.core.http2.streams import ReceiveWindow, Stream, Streams

from ...tables import row


class WindowTests(SynchronousTestCase):
    def test_received(self) -> None:
        """What was taken is given back half a window at a time, and more than there is room for is noticed."""
        window = ReceiveWindow(100)
        self.assertTrue(window.took(100))
        self.assertFalse(window.took(1))
        window = ReceiveWindow(100)
        window.took(100)
        self.assertEqual([window.returned(20) for _ in range(5)], [0, 0, 60, 0, 0])
        self.assertTrue(window.took(60))
        self.assertFalse(window.took(1))

    def test_sent(self) -> None:
        """A window that would be too large, or grows by nothing, is a fault of the stream."""
        stream = Stream(10, None)
        stream.widen(1, 5)
        self.assertEqual(stream.window, 15)
        for increment, code in ((0, ErrorCode.PROTOCOL_ERROR), (LARGEST_WINDOW, ErrorCode.FLOW_CONTROL_ERROR)):
            with row(increment):
                self.assertEqual(
                    self.assertRaises(StreamFault, stream.widen, 1, increment).code, code, (increment, code)
                )

    def test_all(self) -> None:
        """A smaller first window may leave those that there are below nothing; one that is too large is a fault."""
        streams = Streams()
        streams.open[1] = Stream(10, None)
        streams.widen(-20)
        self.assertEqual(streams.open[1].window, -10)
        streams.open[3] = Stream(LARGEST_WINDOW, None)
        self.assertRaises(ConnectionFault, streams.widen, 1)


class LengthTests(SynchronousTestCase):
    def test_each(self) -> None:
        """Content must be of the announced length, RFC 9113 section 8.1.1."""
        for expected, pieces, good in (
            (None, (3, 4), True),
            (7, (3, 4), True),
            (7, (7, 0), True),
            (7, (3, 3), False),
            (7, (3, 5), False),
            (0, (0,), True),
            (0, (1,), False),
        ):
            stream = Stream(10, expected)

            def send(stream: Stream = stream, pieces: tuple[int, ...] = pieces) -> None:
                for number, piece in enumerate(pieces, 1):
                    stream.check_data(1, piece, piece, number == len(pieces))

            if good:
                send()
            else:
                with row(expected):
                    self.assertEqual(
                        self.assertRaises(StreamFault, send).code, ErrorCode.PROTOCOL_ERROR, (pieces, good)
                    )


class ClosedTests(SynchronousTestCase):
    def test_each(self) -> None:
        """What a late frame means depends on how the stream was closed: RFC 9113 section 5.1."""
        streams = Streams()
        streams.highest = 9
        streams.end(1)
        streams.reset(3)
        streams.reset_by_peer(5)
        self.assertEqual(self.fault(streams, 1), (ConnectionFault, ErrorCode.STREAM_CLOSED))
        self.assertIsNone(streams.check_closed(3, "DATA"))
        self.assertEqual(self.fault(streams, 5), (StreamFault, ErrorCode.STREAM_CLOSED))
        for other in (0, 2, 7, 11):
            self.assertEqual(self.fault(streams, other), (ConnectionFault, ErrorCode.PROTOCOL_ERROR), other)

    def test_memory(self) -> None:
        """A connection that lives for long remembers only so many."""
        streams = Streams()
        for stream in range(1, 20_001, 2):
            streams.highest = stream
            streams.end(stream)
        self.assertEqual(len(streams._closed), 1_000)

    def fault(self, streams: Streams, stream: int) -> tuple[type[Exception], ErrorCode]:
        try:
            streams.check_closed(stream, "DATA")
        except (ConnectionFault, StreamFault) as fault:
            return type(fault), fault.code
        raise AssertionError("no fault")
