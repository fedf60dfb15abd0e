"""Tests for L{llmproxy.core.http2.machine}; tests/integration/test_h2spec.py has what others know of the RFC."""

from __future__ import annotations

import struct
from itertools import pairwise

from h2.config import H2Configuration
from h2.connection import H2Connection
from hpack import Encoder
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame, WindowUpdateFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2 import frames as wire
from llmproxy.core.http2.events import (
    ClientLeaving,
    ConnectionFailed,
    DataReceived,
    Event,
    RequestReceived,
    StreamReset,
    TrailersReceived,
    WindowOpened,
)
from llmproxy.core.http2.frames import ErrorCode, frame
from llmproxy.core.http2.machine import MOST_STREAMS, ServerMachine

from ...properties import examples

EXAMPLES = examples(150)
BASE = ((b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"a"))
DONE = wire.END_HEADERS | wire.END_STREAM
RST, UPDATE = wire.RST_STREAM, wire.WINDOW_UPDATE


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


class Conversation:
    """
    A client that sends what it likes.

    @ivar events: what the machine made of it.
    """

    def __init__(self, limit: int = 65_536, begin: bool = True) -> None:
        self.machine = ServerMachine(limit)
        self.encoder = Encoder()
        self.events: list[Event] = []
        self.now = 0.0
        self.machine.initiate_connection()
        if begin:
            self.send(wire.PREFACE, frame(wire.SETTINGS, 0, 0))
            self.machine.data_to_send()
            self.events.clear()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.events += self.machine.receive_data(piece, self.now)

    def head(self, stream: int, *fields: tuple[bytes, bytes], flags: int = DONE) -> bytes:
        return self.section(stream, [*BASE, *fields], flags)

    def section(self, stream: int, fields: list[tuple[bytes, bytes]], flags: int = DONE) -> bytes:
        return frame(wire.HEADERS, flags, stream, self.encoder.encode(fields))

    def said(self) -> list[Frame]:
        """What the machine has to send."""
        data, found = self.machine.data_to_send(), []
        while data:
            one, length = Frame.parse_frame_header(memoryview(data[:9]))
            one.parse_body(memoryview(data[9 : 9 + length]))
            found.append(one)
            data = data[9 + length :]
        return found

    def resets(self) -> list[tuple[int, int]]:
        return [(one.stream_id, one.error_code) for one in self.said() if isinstance(one, RstStreamFrame)]


def opened() -> Conversation:
    """One whose first stream is open."""
    held = Conversation()
    held.send(held.head(1, flags=wire.END_HEADERS))
    held.events.clear()
    return held


class StreamFaultTests(SynchronousTestCase):
    """RFC 9113 section 8.1.1 and 5.4.2: what is wrong with one stream ends that one."""

    def ends(self, code: ErrorCode, *pieces: bytes, conversation: Conversation) -> None:
        held = conversation
        held.send(*pieces)
        self.assertFalse([event for event in held.events if isinstance(event, ConnectionFailed)])
        self.assertIn(code, [error for _, error in held.resets()])
        held.events.clear()
        held.send(frame(wire.DATA, wire.END_STREAM, 1, b"abc"), held.head(99))
        self.assertEqual([type(event) for event in held.events], [DataReceived, RequestReceived])

    def test_malformed(self) -> None:
        """Heads that are none."""
        for fields in (
            ((b"connection", b"close"),),
            ((b"X", b"1"),),
            ((b"x", b"1\n"),),
            ((b":status", b"100"),),
            ((b":path", b"/"),),
            ((b"te", b"x"),),
            ((b"content-length", b"x"),),
            ((b"content-length", b"1"), (b"content-length", b"2")),
            ((b"content-length", b"5"),),
        ):
            held = opened()
            self.ends(ErrorCode.PROTOCOL_ERROR, held.head(3, *fields), conversation=held)

    def test_length(self) -> None:
        """Content that is not of its length, in any way."""
        for content in (
            (frame(wire.DATA, wire.END_STREAM, 3, b"abc"),),
            (frame(wire.DATA, 0, 3, b"abcdef"),),
            (frame(wire.DATA, 0, 3, b"abc"), frame(wire.DATA, wire.END_STREAM, 3, b"def")),
            (frame(wire.DATA, 0, 3, b"abc"), frame(wire.DATA, wire.END_STREAM, 3)),
            (),
        ):
            held = opened()
            head = held.head(3, (b"content-length", b"5"), flags=wire.END_HEADERS)
            trailers = [] if content else [held.section(3, [(b"x", b"1")])]
            self.ends(ErrorCode.PROTOCOL_ERROR, head, *content, *trailers, conversation=held)

    def test_others(self) -> None:
        """Frames that come too late, that are too many or too much, or make no sense."""
        end = b""
        for code, pieces in (
            (ErrorCode.STREAM_CLOSED, (end, frame(wire.DATA, 0, 3, b"x"))),
            (ErrorCode.STREAM_CLOSED, (end, end)),
            (ErrorCode.STREAM_CLOSED, (end, frame(RST, 0, 3, number(8)), frame(wire.DATA, 0, 3, b"x"))),
            (ErrorCode.PROTOCOL_ERROR, (end, frame(UPDATE, 0, 3, number(0)))),
            (ErrorCode.FLOW_CONTROL_ERROR, (end, frame(UPDATE, 0, 3, number(2**31 - 1)))),
            (ErrorCode.PROTOCOL_ERROR, (end, frame(wire.PRIORITY, 0, 3, number(3) + b"\0"))),
            (ErrorCode.FRAME_SIZE_ERROR, (end, frame(wire.PRIORITY, 0, 3, b"1234"))),
        ):
            fresh = opened()
            self.ends(code, *[piece if piece is not end else fresh.head(3) for piece in pieces], conversation=fresh)

    def test_window(self) -> None:
        """More content than the stream's window has room for."""
        held = opened()
        data = [frame(wire.DATA, 0, 3, b"x" * 16_384)] * 4
        head = held.head(3, flags=wire.END_HEADERS)
        self.ends(ErrorCode.FLOW_CONTROL_ERROR, head, *data, frame(wire.DATA, 0, 3, b"x" * 100), conversation=held)

    def test_trailers(self) -> None:
        """Trailers that do not end the stream, or that have what no trailers have."""
        for flags, fields in (
            (wire.END_HEADERS, [(b"x", b"1")]),
            (DONE, [(b":path", b"/")]),
            (DONE, [(b"connection", b"close")]),
        ):
            held = opened()
            head = held.head(3, flags=wire.END_HEADERS)
            trailers = held.section(3, fields, flags)
            self.ends(ErrorCode.PROTOCOL_ERROR, head, trailers, conversation=held)

    def test_too_many(self) -> None:
        """One stream more than we allow is refused, and can be tried again."""
        held = Conversation()
        for stream in range(1, 2 * MOST_STREAMS + 3, 2):
            held.send(held.head(stream))
        self.assertEqual(held.resets(), [(2 * MOST_STREAMS + 1, ErrorCode.REFUSED_STREAM)])
        held.machine.send_headers(1, [(b":status", b"204")], end_stream=True)
        held.send(held.head(999))
        self.assertEqual(held.events[-1], RequestReceived(999, list(BASE), True))

    def test_after_our_reset(self) -> None:
        """What was on its way to a stream that we have reset disturbs no other, and its window is given back."""
        held = Conversation()
        for stream in range(1, 200, 2):
            held.send(held.head(stream, flags=wire.END_HEADERS))
            held.machine.reset_stream(stream, ErrorCode.NO_ERROR)
            held.send(frame(wire.DATA, 0, stream, b"x" * 16_384), frame(wire.DATA, wire.END_STREAM, stream, b"x"))
        self.assertNotIn(ConnectionFailed, {type(event) for event in held.events})
        given = [one.window_increment for one in held.said() if isinstance(one, WindowUpdateFrame)]
        self.assertGreater(sum(given), 1_000_000)


class ConnectionFaultTests(SynchronousTestCase):
    """What nothing can go on after: RFC 9113 section 5.4.1."""

    def fails(self, code: ErrorCode, *pieces: bytes, held: Conversation | None = None) -> None:
        held = Conversation() if held is None else held
        held.send(*pieces)
        failed = held.events[-1]
        assert isinstance(failed, ConnectionFailed), (pieces, held.events)
        self.assertEqual(failed.code, code, pieces)
        goaway = held.said()[-1]
        assert isinstance(goaway, GoAwayFrame)
        self.assertEqual(goaway.error_code, code)
        self.assertEqual(held.machine.receive_data(frame(wire.PING, 0, 0, b"x" * 8), 0.0), [])
        self.assertEqual(held.said(), [])

    def test_each(self) -> None:
        """Each has its code."""
        protocol, size = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR
        head = Encoder().encode(BASE)
        for code, pieces in (
            (protocol, (frame(wire.DATA, 0, 0, b"x"),)),
            (protocol, (frame(wire.DATA, 0, 1, b"x"),)),
            (protocol, (frame(wire.DATA, wire.PADDED, 1, b"\x05x"),)),
            (protocol, (frame(wire.HEADERS, DONE, 0, head),)),
            (protocol, (frame(wire.HEADERS, DONE, 2, head),)),
            (protocol, (frame(wire.HEADERS, DONE, 5, head), frame(wire.HEADERS, DONE, 3, head))),
            (protocol, (frame(wire.HEADERS, 0, 1, head), frame(wire.PING, 0, 0, b"x" * 8))),
            (protocol, (frame(wire.HEADERS, 0, 1, head), frame(wire.CONTINUATION, 4, 3, b""))),
            (protocol, (frame(wire.HEADERS, 0, 1, head), frame(99, 0, 1, b""))),
            (protocol, (frame(wire.CONTINUATION, 4, 1, head),)),
            (protocol, (frame(wire.PRIORITY, 0, 0, b"12345"),)),
            (protocol, (frame(RST, 0, 0, number(8)),)),
            (protocol, (frame(RST, 0, 1, number(8)),)),
            (protocol, (frame(wire.SETTINGS, 0, 1),)),
            (protocol, (frame(wire.PUSH_PROMISE, 4, 1, head),)),
            (protocol, (frame(wire.PING, 0, 1, b"x" * 8),)),
            (protocol, (frame(wire.GOAWAY, 0, 1, bytes(8)),)),
            (protocol, (frame(UPDATE, 0, 0, number(0)),)),
            (protocol, (frame(UPDATE, 0, 1, number(1)),)),
            (ErrorCode.FLOW_CONTROL_ERROR, (frame(UPDATE, 0, 0, number(2**31 - 1)),)),
            (size, (frame(wire.SETTINGS, 0, 0, b"x"),)),
            (size, (frame(wire.SETTINGS, wire.ACK, 0, bytes(6)),)),
            (size, (frame(wire.PING, 0, 0, b"x"),)),
            (size, (frame(wire.GOAWAY, 0, 0, b"x"),)),
            (size, (frame(RST, 0, 1, b"x"),)),
            (size, (frame(UPDATE, 0, 1, b"x"),)),
            (size, (struct.pack(">BHBBL", 0, 16_385, 0, 0, 1),)),
            (ErrorCode.COMPRESSION_ERROR, (frame(wire.HEADERS, DONE, 1, b"\x80"),)),
            (ErrorCode.COMPRESSION_ERROR, (frame(wire.HEADERS, DONE, 1, b"\x20" * 10_000),)),
        ):
            self.fails(code, *pieces)

    def test_closed(self) -> None:
        """A frame of a stream that both sides have ended."""
        for late in (b"data", b"head"):
            held = Conversation()
            held.send(held.head(1))
            held.machine.send_headers(1, [(b":status", b"204")], end_stream=True)
            piece = frame(wire.DATA, 0, 1, b"x") if late == b"data" else held.head(1)
            self.fails(ErrorCode.STREAM_CLOSED, piece, held=held)

    def test_beginning(self) -> None:
        """What does not begin as HTTP/2 does is not listened to."""
        for first in (b"GET / HTTP/1.1\r\n", wire.PREFACE[:10] + b"x", wire.PREFACE + frame(wire.PING, 0, 0, bytes(8))):
            self.fails(ErrorCode.PROTOCOL_ERROR, first, held=Conversation(begin=False))


class FloodTests(SynchronousTestCase):
    """What costs a client nothing has a bound; none of it is a fault by itself."""

    def count(self, *pieces: bytes, held: Conversation | None = None) -> int:
        """How often C{pieces} can be sent at once."""
        held = Conversation() if held is None else held
        for number_of in range(20_000):
            held.send(*pieces)
            held.machine.data_to_send()
            if held.events and isinstance(held.events[-1], ConnectionFailed):
                self.assertEqual(held.events[-1].code, ErrorCode.ENHANCE_YOUR_CALM, number_of)
                return number_of
            held.events.clear()
        return -1

    def test_each(self) -> None:
        """Frames of no use: pings, settings, priorities, updates, unknown ones."""
        for piece in (
            frame(wire.PING, 0, 0, bytes(8)),
            frame(wire.PING, wire.ACK, 0, bytes(8)),
            frame(wire.SETTINGS, 0, 0),
            frame(wire.SETTINGS, wire.ACK, 0),
            frame(wire.SETTINGS, 0, 0, bytes((0, 4, 0, 0, 0, 9)) * 20),
            frame(wire.PRIORITY, 0, 1, bytes(5)),
            frame(UPDATE, 0, 0, number(1)),
            frame(wire.GOAWAY, 0, 0, bytes(8)),
            frame(99, 0, 0, b"x"),
        ):
            self.assertIn(self.count(piece), range(500, 10_001))

    def test_priorities(self) -> None:
        """Thousands of priorities, as browsers had them, are no flood (1,001 were too many for Twisted)."""
        held = Conversation()
        for stream in range(1, 10_001, 2):
            held.send(frame(wire.PRIORITY, 0, stream, bytes(5)))
        self.assertEqual(held.events, [])

    def test_streams(self) -> None:
        """Empty frames, updates and resets of streams."""
        for piece in (
            frame(wire.DATA, 0, 1),
            frame(wire.DATA, wire.PADDED, 1, b"\0"),
            frame(UPDATE, 0, 1, number(1)),
        ):
            held = Conversation()
            held.send(held.head(1, flags=wire.END_HEADERS))
            self.assertIn(self.count(piece, held=held), range(500, 5_001))

    def test_rapid_reset(self) -> None:
        """Streams that the client resets (CVE-2023-44487), or makes us reset (CVE-2025-8671)."""
        for ends in (
            (frame(RST, 0, 1, number(8)),),
            (frame(UPDATE, 0, 1, number(0)),),
            (frame(UPDATE, 0, 1, number(2**31 - 1)),),
            (frame(wire.DATA, 0, 1, b"x"),),
            (frame(wire.PRIORITY, 0, 1, number(1) + b"\0"),),
        ):
            held, count = Conversation(), 0
            while not (held.events and isinstance(held.events[-1], ConnectionFailed)):
                stream = 2 * count + 1
                held.send(held.head(stream), *[piece[:5] + number(stream) + piece[9:] for piece in ends])
                count += 1
                assert count < 1_000, ends
            self.assertGreaterEqual(count, 100, ends)
        held = Conversation()
        for count in range(5_000):
            held.now += 0.06
            held.send(held.head(2 * count + 1), frame(RST, 0, 2 * count + 1, number(8)))
        self.assertIsInstance(held.events[-1], StreamReset)

    def test_fields(self) -> None:
        """Sections of thousands of fields, a byte each, take the time of megabytes: a few are too many."""
        held = Conversation()
        head = [*BASE, *[(b"x", b"y")] * 1_500]
        sent = 0
        while not (held.events and isinstance(held.events[-1], ConnectionFailed)):
            sent += 1
            held.send(held.section(2 * sent - 1, head))
        self.assertLess(sent, 20)

    def test_continuation(self) -> None:
        """A section that never ends: by its size, and by its frames."""
        for piece, least in ((b"x" * 1_000, 60), (b"", 500)):
            held = Conversation()
            held.send(frame(wire.HEADERS, 0, 1, b""))
            self.assertTrue(held.machine.within_a_section, piece)
            self.assertIn(self.count(frame(wire.CONTINUATION, 0, 1, piece), held=held), range(least, 1_001))
            self.assertEqual((held.machine._block, held.machine._reader.unread), (None, 0), (piece, least))

    def test_use(self) -> None:
        """A client that takes what it asked for may say so as often as it likes."""
        held = Conversation()
        held.send(held.head(1))
        held.machine.send_headers(1, [(b":status", b"200")])
        for _ in range(20_000):
            held.machine.send_data(1, b"x")
            held.send(frame(UPDATE, 0, 1, number(1)), frame(UPDATE, 0, 0, number(1)))
            held.machine.data_to_send()
        self.assertEqual({type(event) for event in held.events}, {RequestReceived, WindowOpened})


class LeavingTests(SynchronousTestCase):
    def test_goaway(self) -> None:
        """A client that leaves still gets what it has asked for: RFC 9113 section 6.8."""
        held = Conversation()
        held.send(held.head(1), frame(wire.GOAWAY, 0, 0, number(0) + number(0) + b"bye"))
        self.assertEqual(held.events[-1], ClientLeaving(0))
        held.machine.send_headers(1, [(b":status", b"200")])
        held.machine.send_data(1, b"ok", end_stream=True)
        self.assertEqual([type(one).__name__ for one in held.said()], ["HeadersFrame", "DataFrame"])

    def test_shutdown(self) -> None:
        """First no stream is refused, then those that begin later; what is said of the last one never grows."""
        held = Conversation()
        machine = held.machine
        held.send(held.head(1))
        machine.begin_shutdown()
        held.send(held.head(3))
        machine.refuse_streams()
        held.send(held.head(5), held.head(7))
        self.assertEqual([event.stream for event in held.events if isinstance(event, RequestReceived)], [1, 3])
        for stream in (1, 3):
            machine.send_headers(stream, [(b":status", b"200")], True)
        machine.refuse_streams()
        machine.close_connection()
        machine.begin_shutdown()
        said = held.said()
        goaways = [(one.last_stream_id, one.error_code) for one in said if isinstance(one, GoAwayFrame)]
        self.assertEqual(goaways, [(2**31 - 1, 0), (3, 0), (3, 0), (3, 0)])
        resets = [(one.stream_id, one.error_code) for one in said if isinstance(one, RstStreamFrame)]
        self.assertEqual(resets, [(5, ErrorCode.REFUSED_STREAM), (7, ErrorCode.REFUSED_STREAM)])


class SendingTests(SynchronousTestCase):
    def test_nowhere(self) -> None:
        """What is sent on a stream that is over goes nowhere."""
        held = Conversation()
        held.send(held.head(1), frame(RST, 0, 1, number(8)))
        machine = held.machine
        machine.send_headers(1, [(b":status", b"200")])
        machine.send_data(1, b"x")
        machine.reset_stream(1, ErrorCode.CANCEL)
        machine.acknowledge_received_data(10, 1)
        self.assertEqual((machine.local_flow_control_window(1), held.said()), (0, []))

    def test_large_head(self) -> None:
        """A head that is larger than a frame is continued, and read as one."""
        client = H2Connection(H2Configuration(header_encoding=None))
        client.decoder.max_header_list_size = 1 << 20
        client.local_settings.acknowledge()
        client.initiate_connection()
        client.send_headers(1, BASE, end_stream=True)
        machine = ServerMachine(65_536)
        machine.initiate_connection()
        machine.receive_data(client.data_to_send(), 0.0)
        machine.send_headers(1, [(b":status", b"200"), (b"x", b"y" * 40_000)], end_stream=True)
        client.decoder.max_header_list_size = 1 << 20
        heads = [event for event in client.receive_data(machine.data_to_send()) if hasattr(event, "headers")]
        self.assertEqual([len(value) for name, value in heads[0].headers if name == b"x"], [40_000])

    def test_smaller_window(self) -> None:
        """A window that the client makes smaller may be below nothing: RFC 9113 section 6.9.2."""
        held = Conversation()
        held.send(held.head(1))
        held.machine.send_data(1, b"x" * 1_000)
        held.send(frame(wire.SETTINGS, 0, 0, bytes((0, 4)) + number(10)))
        self.assertEqual(held.machine.local_flow_control_window(1), 0)
        held.send(frame(UPDATE, 0, 1, number(995)))
        self.assertEqual(held.machine.local_flow_control_window(1), 5)


def conversation() -> bytes:
    held = Conversation(begin=False)
    trailers = frame(wire.HEADERS, DONE, 3, Encoder().encode([(b"x-sum", b"1")], huffman=False))
    return b"".join(
        [
            wire.PREFACE,
            frame(wire.SETTINGS, 0, 0, bytes((0, 4)) + number(100_000)),
            held.head(1),
            held.head(3, (b"trailer", b"x-sum"), flags=wire.END_HEADERS),
            frame(wire.DATA, wire.PADDED, 3, b"\2abc\0\0"),
            frame(wire.PRIORITY, 0, 5, bytes(5)),
            trailers,
            frame(wire.PING, 0, 0, b"12345678"),
            frame(UPDATE, 0, 0, number(7)),
            held.head(7, flags=wire.END_HEADERS)[:-3],
        ]
    )


SAID = conversation()


class FuzzTests(SynchronousTestCase):
    def heard(self, pieces: list[bytes]) -> tuple[list[Event], bytes]:
        held = Conversation(begin=False)
        held.send(*pieces)
        return held.events, held.machine.data_to_send()

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(st.integers(0, len(SAID)), max_size=20))
    def test_any_split(self, cuts: list[int]) -> None:
        """However the bytes come, they mean the same."""
        at = [0, *sorted(cuts), len(SAID)]
        events, sent = self.heard([SAID[start:end] for start, end in pairwise(at)])
        self.assertEqual((events, sent), self.heard([SAID]))
        kinds = [RequestReceived, RequestReceived, DataReceived, TrailersReceived, WindowOpened]
        self.assertEqual([type(event) for event in events[1:]], kinds)

    @settings(max_examples=10 * EXAMPLES, deadline=None)
    @given(st.lists(st.tuples(st.integers(24, len(SAID) - 1), st.integers(0, 255)), min_size=1, max_size=6))
    def test_any_change(self, changes: list[tuple[int, int]]) -> None:
        """Nothing that comes raises; what is no HTTP/2 is the last event."""
        data = bytearray(SAID)
        for at, value in changes:
            data[at] = value
        events, _ = self.heard([bytes(data)])
        self.assertNotIn(ConnectionFailed, {type(event) for event in events[:-1]})
