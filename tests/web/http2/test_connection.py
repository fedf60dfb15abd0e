"""Tests for L{llmproxy.web.http2.connection}; tests/integration/test_http2.py has it over real sockets."""

from __future__ import annotations

from itertools import pairwise

from hpack import Encoder
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.core.clientlimits import Limits
from llmproxy.core.http2 import frames
from llmproxy.core.http2.frames import GOAWAY, frame
from llmproxy.errors import ClientLeft
from llmproxy.web.http2.connection import Http2Connection
from llmproxy.web.site import ProxySite

from ...properties import examples
from ..http2wire import Header, Http2Client
from ..wire import Echo, Streaming, Transport, Whole

EXAMPLES = examples(150)
LIMITS = Limits(idle=5.0, closing=2.0, send_silence=4.0)


class Wire:
    """
    A client that reads frames, and takes GOAWAY for what RFC 9113 says it is; h2 would take it for the end.

    @ivar goaways: the last stream of each.
    @ivar resets: codes by stream.
    @ivar whole: streams whose answers are complete.
    """

    def __init__(self, resource: Streaming) -> None:
        self.clock = Clock()
        self.transport = transport = Transport(self.clock, "192.0.2.1")
        self.connection = transport.protocol = Http2Connection(ProxySite(resource, reactor=self.clock))
        self.connection.makeConnection(transport)
        self._encoder = Encoder()
        self._read = 0
        self.goaways: list[int] = []
        self.resets: dict[int, int] = {}
        self.whole: set[int] = set()
        transport.deliver(frames.PREFACE + frames.frame(frames.SETTINGS, 0, 0))

    def ask(self, stream: int) -> None:
        head = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")]
        flags = frames.END_HEADERS | frames.END_STREAM
        self.transport.deliver(frames.frame(frames.HEADERS, flags, stream, self._encoder.encode(head)))
        self.wait(0)

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10) + [0] * 5)
        data, self._read = self.transport.sent[self._read :], len(self.transport.sent)
        while data:
            one, length = Frame.parse_frame_header(memoryview(data[:9]))
            one.parse_body(memoryview(data[9 : 9 + length]))
            data = data[9 + length :]
            if isinstance(one, GoAwayFrame):
                self.goaways.append(one.last_stream_id)
            elif isinstance(one, RstStreamFrame):
                self.resets[one.stream_id] = one.error_code
            elif "END_STREAM" in one.flags:
                self.whole.add(one.stream_id)


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Http2Client(self.resource, LIMITS)

    def test_idle(self) -> None:
        """A connection that nobody uses is closed, with a word."""
        self.client.wait(5.2)
        self.assertEqual((self.client.goaway, self.client.transport.ended), (0, "closed"))

    def test_waiting_is_not_idle(self) -> None:
        """Who waits for an answer, however long, is not cut off."""
        stream = self.client.get()
        self.client.wait(30)
        self.assertEqual((self.client.goaway, self.client.transport.ended), (None, ""))
        self.resource.seen[0].answer()
        self.client.run()
        self.assertEqual(self.client.contents[stream], b"ok")
        self.client.wait(6)
        self.assertEqual(self.client.transport.ended, "closed")

    def test_draining(self) -> None:
        """At the end an idle connection closes at once, one that is in use after its last answer."""
        idle = Http2Client(self.resource, LIMITS)
        idle.connection.close_if_idle()
        idle.run()
        self.assertEqual((idle.goaway, idle.transport.ended), (0, "closed"))
        stream = self.client.get()
        self.client.site.closing = True
        self.client.connection.close_if_idle()
        self.client.run()
        self.assertIsNone(self.client.goaway)
        self.resource.seen[0].answer()
        self.client.run()
        self.assertEqual((self.client.ended[stream], self.client.goaway), ("complete", 0))

    def test_asked_to_leave(self) -> None:
        """
        A client that asks more while the proxy closes down is asked to leave, in two steps; what it has asked for is
        answered, and the connection closes behind the last answer.
        """
        client = Wire(self.resource)
        client.ask(1)
        client.connection.site.closing = True
        client.connection.close_if_idle()
        self.assertEqual(client.goaways, [])
        client.ask(3)
        self.assertEqual(client.goaways, [2**31 - 1])
        client.ask(5)
        client.wait(1.2)
        self.assertEqual(client.goaways, [2**31 - 1, 5])
        client.ask(7)
        self.assertEqual((len(self.resource.seen), client.resets), (3, {7: 7}))
        for seen in self.resource.seen:
            self.assertEqual((seen.left, client.transport.ended), ([], ""), seen)
            seen.answer()
            client.wait(0.1)
        self.assertEqual((client.goaways, client.transport.ended), ([2**31 - 1, 5, 5], "closed"))
        self.assertEqual(sorted(client.whole), [1, 3, 5])
        client.wait(10)
        self.assertEqual([call for call in client.clock.getDelayedCalls() if call.active()], [])

    def test_only_one(self) -> None:
        """One that has nothing but its first request under way is answered, and closed behind that."""
        self.client.site.closing = True
        stream = self.client.get()
        self.client.wait(3)
        self.assertEqual((self.client.goaway, self.client.transport.ended), (None, ""))
        self.resource.seen[0].answer()
        self.client.run()
        self.assertEqual((self.client.contents[stream], self.client.goaway), (b"ok", 0))

    def test_left_meanwhile(self) -> None:
        """A client that goes when it is asked to leaves nothing behind."""
        client = Wire(self.resource)
        client.ask(1)
        client.connection.site.closing = True
        client.ask(3)
        client.transport.reset()
        client.wait(0.1)
        self.assertEqual([len(seen.left) for seen in self.resource.seen], [1, 1])
        client.connection.site.stopFactory()
        client.wait(2)
        self.assertEqual((client.goaways, client.clock.getDelayedCalls()), ([2**31 - 1], []))

    def test_no_http2(self) -> None:
        """What is no HTTP/2 ends the connection, and is noted; a client that does not close then is reset."""
        self.client.transport.disconnecting = False
        self.client.transport.room = 0
        self.client.transport.deliver(b"\0\0\4\1\0\0\0\0\0junk" * 3)
        self.client.clock.advance(0)
        self.assertEqual(
            self.client.refusals, [(400, "malformed_request", "192.0.2.1", "HTTP/2: stream of the server's", "")]
        )
        self.client.clock.pump([0.1] * 25)
        self.assertEqual(self.client.transport.ended, "reset")

    def test_several(self) -> None:
        """An upload that nobody reads does not hold up the others on its connection."""
        stalled = self.client.begin()
        taken = 0
        while more := self.client.fill(stalled):
            taken += more
        self.assertLess(taken, 200_000)
        other = self.client.begin()
        self.assertEqual(self.client.http.local_flow_control_window(other), 65_535)
        self.client.send(other, b"x" * 1000, end=True)
        self.resource.seen[1].read()
        self.assertEqual(self.resource.seen[1].consumer.data, b"x" * 1000)

    def test_window_is_given_back(self) -> None:
        """Uploads that were never read, one after another, do not use up what all share."""
        before = self.client.http.outbound_flow_control_window
        for _ in range(40):
            stream = self.client.begin()
            self.client.fill(stream)
            self.resource.seen[-1].answer()
            self.client.run()
            self.assertEqual(self.client.ended[stream], "complete NO_ERROR")
        self.assertGreater(self.client.http.outbound_flow_control_window, before // 2)

    def test_after_the_end(self) -> None:
        """What is still on its way to a stream that has ended disturbs no other."""
        stream = self.client.begin()
        self.resource.seen[0].answer()
        for _ in range(3):
            self.client.http.send_data(stream, b"x" * 10)
        self.client.run()
        other = self.client.get()
        self.resource.seen[1].answer()
        self.client.run()
        self.assertEqual((self.client.ended[stream], self.client.contents[other]), ("complete NO_ERROR", b"ok"))


class LeavingTests(SynchronousTestCase):
    """RFC 9113 section 6.8: a side that leaves still answers, and is answered."""

    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Http2Client(self.resource, LIMITS)

    def test_running_answers(self) -> None:
        """A client that says that it leaves gets what it has asked for, whole; then the connection closes."""
        stream, other = self.client.get(), self.client.begin()
        self.client.transport.deliver(frame(GOAWAY, 0, 0, bytes(8)))
        self.client.run()
        self.assertEqual((self.client.transport.ended, self.resource.seen[0].left), ("", []))
        self.resource.seen[0].answer(b"x" * 200_000)
        self.resource.seen[1].read()
        self.client.send(other, b"abc", end=True)
        self.assertEqual(self.resource.seen[1].consumer.data, b"abc")
        self.assertEqual((self.client.contents[stream], self.client.transport.ended), (b"x" * 200_000, ""))
        self.resource.seen[1].answer()
        self.client.run()
        self.assertEqual((self.client.ended[other], self.client.transport.ended), ("complete", "closed"))

    def test_nothing_running(self) -> None:
        """Without any it closes at once."""
        self.client.transport.deliver(frame(GOAWAY, 0, 0, bytes(8)))
        self.client.run()
        self.assertEqual((self.client.goaway, self.client.transport.ended), (0, "closed"))


class FaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Http2Client(self.resource, LIMITS, strict=False)

    def test_one_stream(self) -> None:
        """RFC 9113 section 8.1.1: one malformed request is noted, and no other one hears of it."""
        running = self.client.get()
        base: list[Header] = [(b":method", b"GET"), (b":path", b"/"), (b":scheme", b"https"), (b":authority", b"a")]
        for fields in (
            [*base, (b"connection", b"close")],
            [*base, (b"x", b"1\n2")],
            [*base, (b":status", b"200")],
            [*base, (b"content-length", b"5")],
            base[1:],
        ):
            stream = self.client.send_section(fields, end=True)
            self.assertEqual(self.client.ended[stream], "PROTOCOL_ERROR", fields)
            self.assertEqual(self.client.refusals.pop()[:2], (400, "malformed_request"), fields)
        self.assertEqual((len(self.resource.seen), self.client.goaway), (1, None))
        self.resource.seen[0].answer()
        self.client.run()
        self.assertEqual((self.client.ended[running], self.client.contents[running]), ("complete", b"ok"))

    def test_within_an_upload(self) -> None:
        """An upload of another length than it said never looks whole to its reader."""
        for content in (b"abcdef", b"abc"):
            stream = self.client.begin("POST", "/", ("content-length", "5"))
            seen = self.resource.seen[-1]
            seen.read()
            self.client.send(stream, content, end=True)
            self.assertEqual([reason.type for reason in (*seen.ended, *seen.left)], [ClientLeft, ClientLeft], content)
            self.assertEqual(self.client.ended[stream], "PROTOCOL_ERROR", content)

    def test_whole_connection(self) -> None:
        """After a fault of the connection everything ends at once, and the client reads why."""
        self.client.get()
        self.client.transport.deliver(frame(0, 0, 0, b"x"))
        self.client.run()
        self.assertEqual((self.client.goaway, self.client.transport.half_closed), (1, True))
        self.assertEqual([len(seen.left) for seen in self.resource.seen], [1])
        self.client.transport.deliver(frame(6, 0, 0, bytes(8)) * 100)
        self.client.clock.pump([0.1] * 8)
        self.assertEqual(self.client.transport.ended, "reset")

    def test_flood(self) -> None:
        """Frames of no use end the connection, with a word; nothing is left behind."""
        self.client.get()
        for _ in range(200):
            self.client.transport.deliver(frame(0, 0, 1) * 100)
        self.client.run()
        self.assertEqual((self.client.goaway, len(self.resource.seen[0].left)), (11, 1))
        self.assertEqual(self.client.refusals[-1][1::2], ("enhance_your_calm", "HTTP/2: too many frames of no use"))

    def test_priorities(self) -> None:
        """So many priorities that Twisted failed are no reason to fail."""
        for stream in range(1, 4_003, 2):
            self.client.transport.deliver(frame(2, 0, stream, bytes(5)))
        stream = self.client.get()
        self.resource.seen[0].answer()
        self.client.run()
        self.assertEqual(self.client.ended[stream], "complete")

    def test_rapid_reset(self) -> None:
        """Requests that are cancelled at once are cancelled at once here too, and there is an end to it."""
        for _ in range(300):
            if self.client.goaway is None:
                self.client.http.reset_stream(self.client.get())
                self.client.run()
        self.assertEqual(self.client.goaway, 11)
        self.assertLess(len(self.resource.seen), 250)
        self.assertEqual({len(seen.left) for seen in self.resource.seen}, {1})
        self.assertEqual(self.client.connection.streams, {})

    def test_late_section(self) -> None:
        """A head that does not end holds up all others: it has as long as one of HTTP/1.1."""
        self.client.get()
        self.client.transport.deliver(frame(1, 0, 3, b"\x82"))
        self.client.wait(9)
        self.assertIsNone(self.client.goaway)
        self.client.wait(2)
        self.assertEqual((self.client.goaway, self.client.refusals[-1][:2]), (11, (408, "request_timeout")))

    def test_whole_section(self) -> None:
        """One that ends in time is all right."""
        self.client.transport.deliver(frame(1, 1, 1, b"\x82\x87"))
        self.client.wait(3)
        self.client.transport.deliver(frame(9, 4, 1, b"\x84\x41\x01a"))
        self.client.wait(20)
        self.assertEqual((len(self.resource.seen), self.client.goaway), (1, None))


class TakingTests(SynchronousTestCase):
    """Clients that take nothing of what they have asked for (CVE-2019-9517)."""

    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Http2Client(self.resource, LIMITS)
        self.client.takes = False

    def test_closed_window(self) -> None:
        """One that leaves its window closed is not waited for without end; another stream goes on."""
        self.client.http.increment_flow_control_window(1_000_000)
        stalled, running = self.client.get(), self.client.get()
        self.resource.seen[0].answer(b"x" * 100_000)
        self.client.wait(1.6 * LIMITS.send_silence)
        self.assertEqual(self.client.ended[stalled], "CANCEL")
        self.assertNotIn(running, self.client.ended)
        self.resource.seen[1].answer()
        self.client.run()
        self.assertEqual(self.client.ended[running], "complete")

    def test_source_is_told(self) -> None:
        """The resource hears that the client is gone."""
        self.client.get()
        request = self.resource.seen[0].request
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.write(b"x" * 100_000)
        self.client.wait(1.6 * LIMITS.send_silence)
        self.assertEqual(len(self.resource.seen[0].left), 1)

    def test_slow(self) -> None:
        """One that takes a little from time to time has all the time that it needs."""
        stream = self.client.get()
        self.resource.seen[0].answer(b"x" * 70_000)
        for _ in range(20):
            self.client.wait(LIMITS.send_silence * 0.9)
            self.client.http.increment_flow_control_window(100, stream)
            self.client.http.increment_flow_control_window(100)
            self.client.run()
        self.assertEqual(self.client.ended.get(stream), None)
        self.assertGreater(len(self.client.contents[stream]), 67_000)

    def test_unread_socket(self) -> None:
        """One that opens its windows and reads nothing is reset, and only so much waits for it."""
        client = Http2Client(self.resource, LIMITS, window=2**30)
        client.takes = False
        for _ in range(20):
            client.get()
        client.transport.take(0)
        for seen in self.resource.seen[-20:]:
            seen.answer(b"x" * 1_000_000)
        client.run()
        self.assertLess(len(client.transport.unsent), 300_000)
        client.wait(1.6 * LIMITS.send_silence)
        self.assertEqual(client.transport.ended, "reset")


class SendingTests(SynchronousTestCase):
    def test_stalled(self) -> None:
        """A client that takes nothing costs nothing: nobody asks again and again."""
        resource = Streaming()
        client = Http2Client(resource)
        client.takes = False
        stream = client.get()
        resource.seen[0].answer(b"x" * 100_000)
        client.run()
        self.assertEqual(len(client.contents[stream]), 65_535)
        calls = [call for call in client.clock.getDelayedCalls() if call.getTime() <= client.clock.seconds()]
        self.assertEqual(calls, [])
        client.take(stream, 65_535)
        self.assertEqual((len(client.contents[stream]), client.ended[stream]), (100_000, "complete"))

    def test_larger_windows(self) -> None:
        """Windows that the client enlarges later are used."""
        resource = Streaming()
        client = Http2Client(resource)
        client.takes = False
        stream = client.get()
        resource.seen[0].answer(b"x" * 100_000)
        client.http.increment_flow_control_window(100_000)
        client.run()
        self.assertEqual(len(client.contents[stream]), 65_535)
        client.http.increment_flow_control_window(100_000, stream)
        client.run()
        self.assertEqual(client.ended[stream], "complete")

    def test_turns(self) -> None:
        """A stream whose client takes nothing does not hold up another one."""
        resource = Streaming()
        client = Http2Client(resource)
        client.http.increment_flow_control_window(1_000_000)
        client.takes = False
        stalled, other = client.get(), client.get()
        resource.seen[0].answer(b"x" * 100_000)
        resource.seen[1].answer(b"y" * 50_000)
        client.run()
        self.assertEqual((len(client.contents[stalled]), client.ended.get(other)), (65_535, "complete"))


class WholeTests(SynchronousTestCase):
    def test_ordinary_resources(self) -> None:
        """A resource that knows nothing of streams gets the content whole."""
        resource = Whole()
        client = Http2Client(resource)
        stream = client.post(b"abc", "/x?y")
        self.assertEqual(resource.requests, [(b"POST", b"/x?y", b"abc")])
        self.assertEqual((client.status(stream), client.contents[stream]), (200, b"ok"))


def conversation() -> bytes:
    """What a client says that asks, uploads, is refused, resets and trails."""
    said: list[bytes] = []
    client = Http2Client(Echo())
    deliver = client.transport.deliver

    def note(data: bytes) -> None:
        said.append(data)
        deliver(data)

    client.transport.deliver = note  # type: ignore[method-assign]
    client.get("/a")
    stream = client.begin("POST", "/b", ("expect", "100-continue"))
    client.send(stream, b"x" * 100)
    client.http.send_headers(stream, [("x-sum", "1")], end_stream=True)
    client.run()
    client.reset(client.begin("POST", "/c"))
    client.post(b"y" * 100, "/d")
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + b"".join(said)


SAID = conversation()


class FuzzTests(SynchronousTestCase):
    def said(self, pieces: list[bytes]) -> Echo:
        resource, clock = Echo(), Clock()
        transport = Transport(clock, "192.0.2.1")
        transport.protocol = connection = Http2Connection(ProxySite(resource, reactor=clock))
        connection.makeConnection(transport)
        for piece in [*pieces, *[b""] * 20]:
            if piece and not transport.ended:
                transport.deliver(piece)
            clock.advance(0)
        return resource

    @settings(max_examples=EXAMPLES // 3, deadline=None)
    @given(st.lists(st.integers(0, len(SAID)), max_size=8))
    def test_any_split(self, cuts: list[int]) -> None:
        """However the bytes come, the same requests are read from them; but for one that is taken back at once."""
        at = [0, *sorted(cuts), len(SAID)]
        resource = self.said([SAID[start:end] for start, end in pairwise(at)])
        self.assertIn(resource.called, (3, 4))
        self.assertEqual(self.flushLoggedErrors(), [])

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(st.tuples(st.integers(24, len(SAID) - 1), st.integers(0, 255)), max_size=6), st.integers(0, 900))
    def test_any_change(self, changes: list[tuple[int, int]], end: int) -> None:
        """Whatever comes in their place is answered or refused; nothing fails."""
        data = bytearray(SAID)
        for at, value in changes:
            data[at] = value
        self.said([bytes(data[: len(data) - end]), bytes(data[len(data) - end :])])
        self.assertEqual(self.flushLoggedErrors(), [])
