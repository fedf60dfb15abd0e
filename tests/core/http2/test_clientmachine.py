"""Tests for L{llmproxy.core.http2.clientmachine}."""

from __future__ import annotations

from itertools import pairwise

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived as Uploaded
from h2.events import RequestReceived as Asked
from hpack import Encoder
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame, WindowUpdateFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2 import frames as wire
from llmproxy.core.http2.clientmachine import MOST_STREAMS, ROOM, ClientMachine
from llmproxy.core.http2.events import (
    ConnectionFailed,
    DataReceived,
    Event,
    InterimReceived,
    ResponseReceived,
    ServerLeaving,
    StreamReset,
    StreamsAllowed,
    TrailersReceived,
    WindowOpened,
)
from llmproxy.core.http2.frames import ErrorCode, frame

from ...properties import examples

EXAMPLES = examples(150)
GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]
POST = [(b":method", b"POST"), *GET[1:]]
HEAD = [(b":method", b"HEAD"), *GET[1:]]
OK = (b":status", b"200")
DONE = wire.END_HEADERS | wire.END_STREAM
RST, UPDATE = wire.RST_STREAM, wire.WINDOW_UPDATE


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


class Conversation:
    """
    A server that sends what it likes.

    @ivar events: what the machine made of it.
    """

    def __init__(self, limit: int = 65_536, *requests: list[tuple[bytes, bytes]]) -> None:
        self.machine = ClientMachine(limit)
        self.encoder = Encoder()
        self.events: list[Event] = []
        self.now = 0.0
        self.machine.initiate_connection()
        self.send(frame(wire.SETTINGS, 0, 0))
        for request in requests:
            self.machine.begin(request, True)
        self.machine.data_to_send()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.events += self.machine.receive_data(piece, self.now)

    def head(self, stream: int, *fields: tuple[bytes, bytes], flags: int = wire.END_HEADERS) -> bytes:
        return frame(wire.HEADERS, flags, stream, self.encoder.encode(fields))

    def said(self) -> list[Frame]:
        """What the machine has to send, but for its preface."""
        data, found = self.machine.data_to_send().removeprefix(wire.PREFACE), []
        while data:
            one, length = Frame.parse_frame_header(memoryview(data[:9]))
            one.parse_body(memoryview(data[9 : 9 + length]))
            found.append(one)
            data = data[9 + length :]
        return found

    def resets(self) -> list[tuple[int, int]]:
        return [(one.stream_id, one.error_code) for one in self.said() if isinstance(one, RstStreamFrame)]

    def heard(self) -> list[Event]:
        events, self.events = self.events, []
        return events


class ResponseTests(SynchronousTestCase):
    def test_stock_server(self) -> None:
        """h2, as a server, understands what we say, and we understand what it says."""
        server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        server.initiate_connection()
        machine = ClientMachine(65_536)
        machine.initiate_connection()
        stream = machine.begin([*POST, (b"X-Api-Key".lower(), b"s" * 100), (b"content-length", b"3")], False)
        machine.send_data(stream, b"abc", True)
        heard = server.receive_data(machine.data_to_send())
        asked = next(event for event in heard if isinstance(event, Asked))
        self.assertEqual(
            [tuple(pair) for pair in asked.headers], [*POST, (b"x-api-key", b"s" * 100), (b"content-length", b"3")]
        )
        self.assertEqual([event.data for event in heard if isinstance(event, Uploaded)], [b"abc"])
        server.send_headers(stream, [(b":status", b"103"), (b"link", b"</x>")])
        server.send_headers(stream, [OK, (b"x-note", b"1")])
        server.send_data(stream, b"answer")
        server.send_headers(stream, [(b"x-sum", b"2")], end_stream=True)
        said = machine.receive_data(server.data_to_send(), 0.0)
        self.assertEqual(
            [event for event in said if not isinstance(event, (WindowOpened, StreamsAllowed))],
            [
                InterimReceived(1, 103, [(b"link", b"</x>")]),
                ResponseReceived(1, 200, [(b"x-note", b"1")], None, False, False),
                DataReceived(1, b"answer", 6, False),
                TrailersReceived(1, [(b"x-sum", b"2")]),
            ],
        )

    def test_bodiless(self) -> None:
        """No content follows where none can, whatever Content-Length says."""
        for request, status in ((HEAD, b"200"), (GET, b"204"), (GET, b"304")):
            for ends in (True, False):
                held = Conversation(65_536, request)
                fields = ((b":status", status), (b"content-length", b"5"))
                held.send(held.head(1, *fields, flags=DONE if ends else wire.END_HEADERS))
                if not ends:
                    held.send(frame(wire.DATA, wire.END_STREAM, 1))
                answer = held.heard()[0]
                self.assertEqual(answer, ResponseReceived(1, int(status), [fields[1]], 0, True, ends), status)

    def test_malformed(self) -> None:
        """What is wrong with one answer ends that one, and the other goes on: RFC 9113 section 8.1.1."""
        announced = ((b"content-length", b"5"),)
        for name, heads, rest in (
            ("no status", [((b"x", b"1"),)], []),
            ("status", [((b":status", b"20"),)], []),
            ("status of letters", [((b":status", b"2x0"),)], []),
            ("status too low", [((b":status", b"099"),)], []),
            ("two", [(OK, OK)], []),
            ("status behind", [((b"x", b"1"), OK)], []),
            ("pseudo-field", [(OK, (b":path", b"/"))], []),
            ("upper case", [(OK, (b"X", b"1"))], []),
            ("connection", [(OK, (b"connection", b"close"))], []),
            ("transfer coding", [(OK, (b"transfer-encoding", b"chunked"))], []),
            ("line break", [(OK, (b"x", b"1\r\n2"))], []),
            ("two lengths", [(OK, *announced, (b"content-length", b"6"))], []),
            ("switching", [((b":status", b"101"),)], []),
            ("too short", [(OK, *announced)], [frame(wire.DATA, wire.END_STREAM, 1, b"abc")]),
            ("too long", [(OK, *announced)], [frame(wire.DATA, 0, 1, b"abcdef")]),
            ("none", [(OK, *announced)], [frame(wire.DATA, wire.END_STREAM, 1)]),
            ("content of a 204", [((b":status", b"204"),)], [frame(wire.DATA, 0, 1, b"x")]),
            ("content before the head", [], [frame(wire.DATA, 0, 1, b"x")]),
            ("its end before the head", [], [frame(wire.DATA, wire.END_STREAM, 1)]),
            ("trailers that go on", [(OK,), ((b"x", b"1"),)], []),
            ("no trailers", [(OK,), (OK,)], []),
        ):
            held = Conversation(65_536, POST, GET)
            held.send(*[held.head(1, *fields) for fields in heads], *rest)
            reset = held.heard()[-1]
            assert isinstance(reset, StreamReset), name
            self.assertEqual((reset.stream, reset.code, reset.by_peer), (1, ErrorCode.PROTOCOL_ERROR, False), name)
            self.assertEqual(held.resets(), [(1, ErrorCode.PROTOCOL_ERROR)], name)
            held.send(held.head(3, OK, flags=DONE))
            self.assertEqual([type(event) for event in held.heard()], [ResponseReceived], name)

    def test_ends_too_early(self) -> None:
        """An interim head that ends the stream, a length without content, trailers before all has come."""
        for heads in (
            [((b":status", b"103"),)],
            [(OK, (b"content-length", b"1"))],
        ):
            held = Conversation(65_536, GET)
            held.send(*[held.head(1, *fields, flags=DONE) for fields in heads])
            self.assertIsInstance(held.events[-1], StreamReset)
        held = Conversation(65_536, GET)
        held.send(held.head(1, OK, (b"content-length", b"5")), frame(wire.DATA, 0, 1, b"abc"))
        held.send(held.head(1, (b"x", b"1"), flags=DONE))
        self.assertIsInstance(held.events[-1], StreamReset)

    def test_too_large(self) -> None:
        """A head above the limit ends its stream; one far above it the connection."""
        held = Conversation(1_000, GET, GET)
        held.send(held.head(1, OK, (b"x", b"y" * 1_000)))
        self.assertEqual(held.resets(), [(1, ErrorCode.ENHANCE_YOUR_CALM)])
        held.send(held.head(3, OK, (b"x", b"y" * 900), flags=DONE))
        self.assertIsInstance(held.events[-1], ResponseReceived)
        held = Conversation(1_000, GET)
        held.send(held.head(1, OK, (b"x", b"y" * 4_000)))
        self.assertIsInstance(held.events[-1], ConnectionFailed)

    def test_window(self) -> None:
        """A stream has room for so much; what was taken is given back, in all and to the stream."""
        held = Conversation(65_536, GET, GET)
        held.send(held.head(1, OK))
        for _ in range(ROOM // 16_384):
            held.send(frame(wire.DATA, 0, 1, b"x" * 16_384))
        self.assertNotIn(StreamReset, {type(event) for event in held.heard()})
        held.machine.acknowledge_received_data(ROOM // 2, 1)
        self.assertEqual([one.stream_id for one in held.said() if isinstance(one, WindowUpdateFrame)], [1])
        held.send(frame(wire.DATA, 0, 1, b"x" * 16_384))
        self.assertIsInstance(held.heard()[-1], DataReceived)
        held = Conversation(65_536, GET)
        held.send(held.head(1, OK), *[frame(wire.DATA, 0, 1, b"x" * 16_384)] * (ROOM // 16_384 + 1))
        self.assertEqual(held.resets(), [(1, ErrorCode.FLOW_CONTROL_ERROR)])

    def test_all_rooms(self) -> None:
        """The streams whose readers wait leave room for one more: 99 full ones, and the last gets all of its own."""
        held = Conversation(65_536, *[GET] * MOST_STREAMS)
        for stream in range(1, 2 * MOST_STREAMS, 2):
            held.send(held.head(stream, OK), *[frame(wire.DATA, 0, stream, b"x" * 16_384)] * (ROOM // 16_384))
        self.assertFalse([one for one in held.events if isinstance(one, (StreamReset, ConnectionFailed))])


class StreamsTests(SynchronousTestCase):
    def test_most(self) -> None:
        """As many at once as the server takes, and never more than ours."""
        machine = Conversation().machine
        self.assertEqual([machine.begin(GET, True) for _ in range(3)], [1, 3, 5])
        for _ in range(MOST_STREAMS - 3):
            self.assertTrue(machine.can_begin)
            machine.begin(GET, True)
        self.assertFalse(machine.can_begin)
        held = Conversation(65_536, GET)
        held.send(frame(wire.SETTINGS, 0, 0, bytes((0, wire.MAX_CONCURRENT_STREAMS)) + number(1)))
        self.assertEqual((held.heard()[-1], held.machine.can_begin), (StreamsAllowed(1), False))
        held.send(held.head(1, OK, flags=DONE))
        self.assertTrue(held.machine.can_begin)
        held.send(frame(wire.SETTINGS, 0, 0, bytes((0, wire.MAX_CONCURRENT_STREAMS)) + number(2**31)))
        self.assertEqual(held.heard()[-1], StreamsAllowed(MOST_STREAMS))

    def test_numbers_used_up(self) -> None:
        """A connection has so many numbers, and no more."""
        machine = Conversation().machine
        machine._streams.highest = wire.LARGEST_STREAM - 2
        self.assertTrue(machine.can_begin)
        self.assertEqual(machine.begin(GET, True), wire.LARGEST_STREAM)
        self.assertEqual((machine.can_begin, machine.is_used_up), (False, True))

    def test_goaway(self) -> None:
        """Streams above the last one were not looked at, those below go on, and none begins any more."""
        held = Conversation(65_536, GET, GET, GET)
        held.send(frame(wire.GOAWAY, 0, 0, number(wire.LARGEST_STREAM) + number(0) + b"soon"))
        self.assertEqual((held.heard(), held.machine.can_begin), ([ServerLeaving(0)], False))
        self.assertTrue(held.machine.has_taken)
        held.send(frame(wire.GOAWAY, 0, 0, number(3) + number(0)))
        self.assertEqual(held.heard(), [StreamReset(5, ErrorCode.REFUSED_STREAM, "", True), ServerLeaving(0)])
        held.send(held.head(1, OK, flags=DONE), held.head(3, OK, flags=DONE), held.head(5, OK, flags=DONE))
        self.assertEqual([event.stream for event in held.heard() if isinstance(event, ResponseReceived)], [1, 3])

    def test_resets(self) -> None:
        """The server ends a stream, and we do; what was on its way disturbs nobody, and its window is given back."""
        held = Conversation(65_536, GET, GET)
        held.send(frame(RST, 0, 1, number(ErrorCode.REFUSED_STREAM)))
        self.assertEqual(held.heard(), [StreamReset(1, ErrorCode.REFUSED_STREAM, "", True)])
        held.machine.reset_stream(3, ErrorCode.CANCEL)
        self.assertEqual(held.resets(), [(3, ErrorCode.CANCEL)])
        held.send(held.head(3, OK), frame(wire.DATA, 0, 3, b"x" * 100), frame(RST, 0, 3, number(0)))
        self.assertEqual(held.heard(), [])
        self.assertEqual(held.machine._received._owed, 100)

    def test_after_the_answer(self) -> None:
        """A server that has answered may say that it does not want the rest: RFC 9113 section 8.1."""
        held = Conversation()
        stream = held.machine.begin(POST, False)
        held.send(held.head(stream, (b":status", b"413"), flags=DONE), frame(RST, 0, stream, number(0)))
        self.assertEqual([type(event) for event in held.heard()][-2:], [ResponseReceived, StreamReset])


class ConnectionFaultTests(SynchronousTestCase):
    """What nothing can go on after: RFC 9113 section 5.4.1."""

    def test_each(self) -> None:
        protocol, size = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR
        ok = Encoder().encode([OK])
        settings_of = bytes((0, wire.ENABLE_PUSH)) + number(1)
        for code, pieces in (
            (protocol, (frame(wire.DATA, 0, 0, b"x"),)),
            (protocol, (frame(wire.DATA, 0, 3, b"x"),)),
            (protocol, (frame(wire.HEADERS, DONE, 2, ok),)),
            (protocol, (frame(wire.HEADERS, DONE, 3, ok),)),
            (protocol, (frame(wire.HEADERS, 0, 1, ok), frame(wire.PING, 0, 0, bytes(8)))),
            (protocol, (frame(wire.PUSH_PROMISE, 4, 1, number(2) + ok),)),
            (protocol, (frame(wire.SETTINGS, 0, 0, settings_of),)),
            (protocol, (frame(RST, 0, 5, number(8)),)),
            (protocol, (frame(wire.GOAWAY, 0, 1, bytes(8)),)),
            (protocol, (frame(UPDATE, 0, 0, number(0)),)),
            (size, (frame(RST, 0, 1, b"x"),)),
            (size, (frame(wire.GOAWAY, 0, 0, b"x"),)),
            (ErrorCode.COMPRESSION_ERROR, (frame(wire.HEADERS, DONE, 1, b"\x80"),)),
            (ErrorCode.STREAM_CLOSED, (frame(wire.HEADERS, DONE, 1, ok), frame(wire.DATA, 0, 1, b"x"))),
        ):
            held = Conversation(65_536, GET)
            held.send(*pieces)
            failed = held.heard()[-1]
            assert isinstance(failed, ConnectionFailed), pieces
            self.assertEqual(failed.code, code, pieces)
            goaway = held.said()[-1]
            assert isinstance(goaway, GoAwayFrame)
            self.assertEqual((goaway.error_code, goaway.last_stream_id), (code, 0), pieces)
            self.assertEqual((held.machine.can_begin, held.machine.is_used_up), (False, True), pieces)

    def test_beginning(self) -> None:
        """A server that does not begin with SETTINGS speaks something else."""
        for first in (b"HTTP/1.1 400 Bad Request\r\n\r\n", frame(wire.PING, 0, 0, bytes(8))):
            machine = ClientMachine(65_536)
            machine.initiate_connection()
            self.assertIsInstance(machine.receive_data(first, 0.0)[-1], ConnectionFailed)

    def test_floods(self) -> None:
        """What costs a server nothing has a bound; and so has the memory for it."""
        section = frame(wire.HEADERS, wire.END_HEADERS, 1, b"\x08\x03103")
        for piece in (
            frame(wire.PING, 0, 0, bytes(8)),
            frame(wire.SETTINGS, 0, 0),
            frame(wire.PRIORITY, 0, 1, bytes(5)),
            frame(UPDATE, 0, 0, number(1)),
            frame(UPDATE, 0, 1, number(1)),
            frame(wire.GOAWAY, 0, 0, number(99) + bytes(4)),
            frame(wire.DATA, 0, 1),
            frame(RST, 0, 3, number(8)),
            frame(99, 0, 0, b"x"),
            section,
        ):
            held = Conversation(65_536, GET, GET)
            held.machine.reset_stream(3, ErrorCode.CANCEL)
            if piece[3] == wire.DATA:
                held.send(held.head(1, OK))
            sent = 0
            while not (held.events and isinstance(held.events[-1], ConnectionFailed)):
                held.events.clear()
                held.send(piece)
                sent += 1
                assert sent < 20_000, piece
            self.assertGreater(sent, 200, piece)
            self.assertEqual(held.events[-1].code, ErrorCode.ENHANCE_YOUR_CALM, piece)  # type: ignore[union-attr]

    def test_endless_section(self) -> None:
        """A section that never ends, of many bytes and of none."""
        for piece in (b"x" * 1_000, b""):
            held = Conversation(65_536, GET)
            held.send(frame(wire.HEADERS, 0, 1, b""))
            for _ in range(1_100):
                held.send(frame(wire.CONTINUATION, 0, 1, piece))
            self.assertIsInstance(held.events[-1], ConnectionFailed)
            self.assertIsNone(held.machine._block, piece)

    def test_heartbeats(self) -> None:
        """A 102 each second for hours, and pings while content comes, are no flood."""
        held = Conversation(65_536, GET)
        for _ in range(5_000):
            held.now += 1.0
            held.send(
                held.head(1, (b":status", b"102")), frame(wire.PING, 0, 0, bytes(8)), frame(wire.PING, 0, 0, bytes(8))
            )
            held.machine.data_to_send()
        self.assertNotIn(ConnectionFailed, {type(event) for event in held.events})

    def test_refused(self) -> None:
        """A server that refuses each of thousands of requests has not sent too much: we asked."""
        held = Conversation()
        for _ in range(5_000):
            stream = held.machine.begin(GET, True)
            held.send(frame(RST, 0, stream, number(ErrorCode.REFUSED_STREAM)))
            held.machine.data_to_send()
        self.assertEqual({type(event) for event in held.events}, {StreamReset})


def conversation() -> bytes:
    held = Conversation()
    return b"".join(
        [
            frame(wire.SETTINGS, 0, 0, bytes((0, 4)) + number(100_000) + bytes((0, 3)) + number(50)),
            held.head(1, (b":status", b"103"), (b"link", b"</x>")),
            held.head(1, OK, (b"content-length", b"6")),
            frame(wire.DATA, wire.PADDED, 1, b"\2abc\0\0"),
            frame(wire.PING, 0, 0, b"12345678"),
            held.head(3, OK, (b"x-note", b"1")),
            frame(wire.DATA, 0, 1, b"def"),
            frame(UPDATE, 0, 0, number(7)),
            held.head(1, (b"x-sum", b"2"), flags=DONE),
            frame(wire.DATA, wire.END_STREAM, 3, b"ghi"),
            frame(RST, 0, 5, number(7)),
            frame(wire.GOAWAY, 0, 0, number(5) + number(0)),
            held.head(7, OK)[:-1],
        ]
    )


SAID = conversation()


class FuzzTests(SynchronousTestCase):
    def heard(self, pieces: list[bytes]) -> tuple[list[Event], bytes]:
        machine = ClientMachine(65_536)
        machine.initiate_connection()
        for _ in range(3):
            machine.begin(POST, False)
        events = [event for piece in pieces for event in machine.receive_data(piece, 0.0)]
        return events, machine.data_to_send()

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(st.integers(0, len(SAID)), max_size=20))
    def test_any_split(self, cuts: list[int]) -> None:
        """However the bytes come, they mean the same."""
        at = [0, *sorted(cuts), len(SAID)]
        events, sent = self.heard([SAID[start:end] for start, end in pairwise(at)])
        self.assertEqual((events, sent), self.heard([SAID]))
        kinds = [WindowOpened, StreamsAllowed, InterimReceived, ResponseReceived, DataReceived, ResponseReceived]
        kinds += [DataReceived, WindowOpened, TrailersReceived, DataReceived, StreamReset, ServerLeaving]
        self.assertEqual([type(event) for event in events], kinds)

    @settings(max_examples=10 * EXAMPLES, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, len(SAID) - 1), st.integers(0, 255)), min_size=1, max_size=6))
    def test_any_change(self, changes: list[tuple[int, int]]) -> None:
        """Nothing that comes raises; what is no HTTP/2 is the last event; no stream has two ends."""
        data = bytearray(SAID)
        for at, value in changes:
            data[at] = value
        events, _ = self.heard([bytes(data)])
        self.assertNotIn(ConnectionFailed, {type(event) for event in events[:-1]})
        ends: dict[int, int] = {}
        for event in events:
            if isinstance(event, TrailersReceived) or (
                isinstance(event, (ResponseReceived, DataReceived)) and event.ended
            ):
                ends[event.stream] = ends.get(event.stream, 0) + 1
        self.assertFalse([stream for stream, count in ends.items() if count > 1])

    @settings(max_examples=10 * EXAMPLES, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 10), st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 5, 7]), st.binary(max_size=30)
            ),
            max_size=30,
        )
    )
    def test_any_frames(self, frames: list[tuple[int, int, int, bytes]]) -> None:
        """Frames of any kind in any order: nothing raises, and what is known of streams stays bounded."""
        data = b"".join([frame(wire.SETTINGS, 0, 0), *[frame(*each) for each in frames]])
        events, _ = self.heard([data])
        self.assertNotIn(ConnectionFailed, {type(event) for event in events[:-1]})
