"""Tests for L{llmproxy.upstream.http2.connection}: exchanges that share one, as upstream and clients see them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.core.http2 import frames as wire
from llmproxy.core.http2.clientmachine import ROOM
from llmproxy.core.http2.frames import ErrorCode, frame
from llmproxy.errors import UpstreamProtocolError, UpstreamReset
from llmproxy.upstream.http2.connection import MOST_RESETS, SharedConnection

from ..wire import Body, Reader
from .wire import OK, Http2Wire, Upstream


class SharedTestCase(SynchronousTestCase):
    def opened(self, **settings: Any) -> tuple[Http2Wire, Upstream]:
        """A connection that has served one exchange."""
        held = Http2Wire(**settings)
        first = held.ask()
        upstream = held.accept()
        upstream.answer(1, b"ok")
        self.successResultOf(first)
        return held, upstream


class ExchangeTests(SharedTestCase):
    def test_whole(self) -> None:
        """Method, target, fields in their order and content reach upstream, and its answer the client."""
        held = Http2Wire()
        fields = [(b"Host", b"up.example"), (b"X-B", b"1"), (b"X-a", b"2"), (b"X-B", b"3")]
        asked = held.send(b"POST", fields, BytesBody(b"question"))
        upstream = held.accept()
        self.assertEqual(
            upstream.heads[1],
            [
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", b"up.example"),
                (b":path", b"/x"),
                (b"x-b", b"1"),
                (b"x-a", b"2"),
                (b"x-b", b"3"),
                (b"content-length", b"8"),
            ],
        )
        self.assertEqual((upstream.bodies[1], upstream.ended), (b"question", {1}))
        upstream.answer(1, b"answer", (b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3"))
        response = self.successResultOf(asked)
        self.assertEqual((response.code, response.phrase, response.version), (200, b"OK", (b"HTTP", 2, 0)))
        self.assertEqual(response.fields, [(b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3")])
        self.assertEqual((response.length, self.successResultOf(response.content())), (UNKNOWN_LENGTH, b"answer"))
        self.assertTrue(response.body.at_hand)

    def test_together(self) -> None:
        """A hundred at once share one connection, and each gets its own answer, in whatever order."""
        held, upstream = self.opened()
        asked = [held.ask(target=b"/%d" % number) for number in range(100)]
        upstream.hear()
        self.assertEqual(held.waiting, [])
        for stream, head in sorted(upstream.heads.items(), reverse=True):
            if stream > 1:
                upstream.answer(stream, dict(head)[b":path"])
        got = [self.successResultOf(self.successResultOf(each).content()) for each in asked]
        self.assertEqual(got, [b"/%d" % number for number in range(100)])
        self.assertEqual((held.pool.opened, held.pool.reused, held.pool.idle), (1, 100, 1))

    def test_streamed(self) -> None:
        """Events of an answer arrive as they come; trailers are there at its end."""
        held, upstream = self.opened()
        asked = held.ask()
        upstream.hear()
        upstream.http.send_headers(3, [*OK, (b"content-type", b"text/event-stream")])
        upstream.flush()
        response, reader = self.successResultOf(asked), Reader()
        done = response.body.startProducing(reader)
        for piece in (b"data: 1\n\n", b"data: 2\n\n"):
            upstream.http.send_data(3, piece)
            upstream.flush()
            self.assertEqual(reader.chunks[-1], piece, piece)
        self.assertNoResult(done)
        upstream.http.send_headers(3, [(b"x-sum", b"7")], end_stream=True)
        upstream.flush()
        self.successResultOf(done)
        self.assertEqual(response.trailers, [(b"x-sum", b"7")])

    def test_interims(self) -> None:
        """Informational responses are passed on as they come."""
        held, upstream = self.opened()
        seen: list[Any] = []
        asked = held.send(b"GET", [], on_interim=lambda *each: seen.append(each))
        upstream.hear()
        upstream.http.send_headers(3, [(b":status", b"103"), (b"link", b"</x>")])
        upstream.flush()
        self.assertEqual(seen, [(103, b"Early Hints", [(b"link", b"</x>")])])
        upstream.answer(3)
        self.assertEqual(self.successResultOf(asked).code, 200)

    def test_bodiless(self) -> None:
        """HEAD, 204 and 304 have no content, and the connection goes on whether or not upstream ends them at once."""
        for method, status in ((b"HEAD", b"200"), (b"GET", b"204"), (b"GET", b"304")):
            for ends in (True, False):
                held, upstream = self.opened()
                asked = held.ask(method)
                upstream.hear()
                upstream.http.send_headers(3, [(b":status", status), (b"x-note", b"1")], end_stream=ends)
                upstream.flush()
                response = self.successResultOf(asked)
                self.assertEqual((response.code, response.body, response.length), (int(status), None, 0), status)
                self.assertEqual(upstream.resets, {} if ends else {3: ErrorCode.CANCEL}, status)
                held.ask()
                upstream.hear()
                self.assertIn(5, upstream.heads, status)

    def test_short(self) -> None:
        """Content that is shorter than announced is no complete answer."""
        held, upstream = self.opened()
        asked = held.ask()
        upstream.hear()
        upstream.http.send_headers(3, [*OK, (b"content-length", b"10")])
        upstream.flush()
        done = self.successResultOf(asked).body.startProducing(reader := Reader())
        upstream.say(frame(wire.DATA, wire.END_STREAM, 3, b"short"))
        self.failureResultOf(done, UpstreamProtocolError)
        self.assertEqual(reader.data, b"")
        again = held.ask()
        upstream.answer(5)
        self.successResultOf(again)


class BackPressureTests(SharedTestCase):
    def test_download(self) -> None:
        """A reader that is slow is sent no more than its window; others go on; it gets the rest when it reads again."""
        held, upstream = self.opened()
        slow, quick = held.ask(), held.ask()
        upstream.hear()
        for stream in (3, 5):
            upstream.http.send_headers(stream, OK)
        upstream.flush()
        slow_body, reader = self.successResultOf(slow).body, Reader()
        done = slow_body.startProducing(reader)
        slow_body.pauseProducing()
        sent = self.fill(upstream, 3)
        self.assertEqual(sent, ROOM)
        quick_reader = Reader()
        self.successResultOf(quick).body.startProducing(quick_reader)
        total = 0
        for _ in range(10):
            total += self.fill(upstream, 5, most=100_000)
        self.assertEqual((len(quick_reader.data), total), (1_000_000, 1_000_000))
        self.assertEqual(upstream.http.local_flow_control_window(3), 0)
        slow_body.resumeProducing()
        upstream.flush()
        self.assertEqual(upstream.http.local_flow_control_window(3), ROOM)
        upstream.http.send_data(3, b"end", end_stream=True)
        upstream.flush()
        self.successResultOf(done)
        self.assertEqual(len(reader.data), sent + 3)

    def fill(self, upstream: Upstream, stream: int, most: int = 10**9) -> int:
        sent = 0
        while room := min(16_384, most - sent, upstream.http.local_flow_control_window(stream)):
            upstream.http.send_data(stream, b"x" * room)
            upstream.flush()
            sent += room
        return sent

    def test_unread(self) -> None:
        """An answer that nobody has begun to read is held up to its window, and no further."""
        held, upstream = self.opened()
        asked = held.ask()
        upstream.hear()
        upstream.http.send_headers(3, OK)
        upstream.flush()
        response = self.successResultOf(asked)
        self.assertEqual(self.fill(upstream, 3), ROOM)
        response.body.startProducing(reader := Reader())
        upstream.flush()
        self.assertEqual(len(reader.data), ROOM)
        self.assertEqual(upstream.http.local_flow_control_window(3), ROOM)

    def test_upload(self) -> None:
        """A body is paused while upstream has no room, and goes on when it has; every byte arrives once."""
        held, upstream = self.opened()
        upstream.takes = False
        body = Body()
        held.send(b"POST", [], body)
        sent = b""
        for number in range(20):
            if not body.paused:
                piece = b"%05d" % number * 3_000
                body.write(piece)
                sent += piece
        self.assertTrue(body.paused)
        self.assertLess(len(sent), 100_000)
        upstream.hear()
        self.assertEqual(len(upstream.bodies[3]), 65_535)
        upstream.http.acknowledge_received_data(65_535, 3)
        upstream.flush()
        self.assertFalse(body.paused)
        body.finish()
        upstream.flush()
        self.assertEqual((upstream.bodies[3], upstream.ended), (sent, {1, 3}))

    def test_congested(self) -> None:
        """While upstream's system takes nothing, bodies are paused."""
        held, upstream = self.opened()
        connection: SharedConnection = upstream.socket.protocol
        verifyObject(IPushProducer, connection)
        self.assertIs(upstream.socket.producer, connection)
        body = Body()
        held.send(b"POST", [], body)
        connection.pauseProducing()
        upstream.hear()
        body.write(b"x")
        upstream.hear()
        self.assertEqual((body.paused, upstream.bodies[3]), (True, b""))
        connection.resumeProducing()
        upstream.hear()
        self.assertEqual((body.paused, upstream.bodies[3]), (False, b"x"))


class LeavingTests(SharedTestCase):
    def test_before_the_head(self) -> None:
        """A client that leaves resets its own stream; the others get their answers."""
        held, upstream = self.opened()
        body = Body()
        leaving, staying = held.send(b"POST", [], body), held.ask()
        body.write(b"x")
        upstream.hear()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.assertEqual(body.stopped, 1)
        upstream.answer(5, b"ok")
        self.assertEqual(upstream.resets, {3: ErrorCode.CANCEL})
        self.assertEqual(self.successResultOf(self.successResultOf(staying).content()), b"ok")
        self.released(held, upstream)

    def test_in_the_answer(self) -> None:
        """Likewise while its answer comes, read or not: what was under way is given back to all."""
        for begun in (True, False):
            held, upstream = self.opened()
            asked = held.ask()
            upstream.hear()
            upstream.http.send_headers(3, OK)
            upstream.http.send_data(3, b"x" * 10_000)
            upstream.flush()
            body = self.successResultOf(asked).body
            if begun:
                body.startProducing(Reader())
            body.stopProducing()
            upstream.hear()
            self.assertEqual(upstream.resets, {3: ErrorCode.CANCEL}, begun)
            self.released(held, upstream)

    def released(self, held: Http2Wire, upstream: Upstream) -> None:
        """Nothing is held, and all of the window is there."""
        connection: SharedConnection = upstream.socket.protocol
        machine = connection.machine
        self.assertEqual((connection.streams, machine._streams.open, bool(connection._turns)), ({}, {}, False))
        received = machine._received
        self.assertEqual(received._left + received._owed, machine._room)
        self.assertTrue(held.pool.is_quiet)

    def test_early_answer(self) -> None:
        """An answer that ends before the upload stops it, and the connection goes on."""
        held, upstream = self.opened()
        body = Body()
        asked = held.send(b"POST", [], body)
        body.write(b"x")
        upstream.answer(3, b"no", status=b"413")
        self.assertEqual((self.successResultOf(asked).code, body.stopped), (413, 1))
        self.assertEqual(upstream.resets, {3: ErrorCode.CANCEL})
        self.released(held, upstream)


class UploadTests(SharedTestCase):
    def test_trailers(self) -> None:
        """Trailers of a request follow its content."""
        held, upstream = self.opened()
        body = Body()
        body.trailers = [(b"X-Sum", b"7")]  # type: ignore[attr-defined]
        held.send(b"POST", [], body)
        body.write(b"abc")
        body.finish()
        upstream.hear()
        self.assertEqual((upstream.bodies[3], upstream.trailers[3]), (b"abc", [(b"x-sum", b"7")]))
        self.assertIn(3, upstream.ended)

    def test_expect(self) -> None:
        """An upload that is to be asked for waits for the word, or for its time."""
        for says in (True, False):
            held, upstream = self.opened()
            body = Body(5)
            asked = held.send(b"POST", [(b"Expect", b"100-continue"), (b"Content-Length", b"5")], body)
            upstream.hear()
            self.assertEqual((dict(upstream.heads[3])[b"expect"], body.started), (b"100-continue", False), says)
            if says:
                upstream.http.send_headers(3, [(b":status", b"100")])
                upstream.flush()
            else:
                held.turn(1.5)
            self.assertTrue(body.started, says)
            body.write(b"abcde")
            upstream.answer(3)
            self.assertEqual((upstream.bodies[3], self.successResultOf(asked).code), (b"abcde", 200), says)

    def test_fails(self) -> None:
        """A body that fails, or is not of its length, must not be taken for the whole: its stream is reset."""
        for length, piece, expected in ((UNKNOWN_LENGTH, b"x", ZeroDivisionError), (3, b"xxxx", None)):
            held, upstream = self.opened()
            body = Body(length)
            asked = held.send(b"POST", [], body)
            body.write(piece)
            if expected is not None:
                body.done.errback(expected())
            upstream.hear()
            self.failureResultOf(asked, *[each for each in (expected,) if each])
            self.assertEqual(upstream.resets, {3: ErrorCode.CANCEL}, length)
            self.assertNotIn(3, upstream.ended, length)


class FaultTests(SharedTestCase):
    """What a bad upstream does, and a connection that breaks."""

    def running(self) -> tuple[Http2Wire, Upstream, Deferred[Any], Deferred[None]]:
        """One request without an answer, and one in the midst of it."""
        held, upstream = self.opened()
        waiting, reading = held.ask(b"POST"), held.ask()
        upstream.hear()
        upstream.http.send_headers(5, OK)
        upstream.flush()
        return held, upstream, waiting, self.successResultOf(reading).body.startProducing(Reader())

    def test_lost(self) -> None:
        """Both fail as over HTTP/1.1, and say how far they had come."""
        held, upstream, waiting, reading = self.running()
        upstream.socket.reset()
        self.assertEqual(self.failureResultOf(waiting, UpstreamReset).value.progress, "sent")
        cut = self.failureResultOf(reading, UpstreamReset).value
        self.assertEqual((cut.cause, cut.progress), ("cut_short", "answered"))
        self.assertEqual((held.pool.connections, held.pool.is_quiet), (0, True))

    def test_protocol_error(self) -> None:
        """What is no HTTP/2 fails all, is answered with GOAWAY, and closes the connection."""
        held, upstream, waiting, reading = self.running()
        upstream.socket.clear()
        upstream.socket.say(frame(wire.PING, 0, 1, bytes(8)))
        self.failureResultOf(waiting, UpstreamProtocolError)
        self.failureResultOf(reading, UpstreamProtocolError)
        self.assertEqual(upstream.socket.heard()[3], wire.GOAWAY)
        self.assertTrue(upstream.socket.closed)
        held.turn(2.0)
        self.assertEqual(held.pool.connections, 0)

    def test_deaf(self) -> None:
        """An upstream that does not close after that is cut."""
        held, upstream, waiting, reading = self.running()
        upstream.socket.loseConnection = lambda: None  # type: ignore[method-assign]
        upstream.socket.say(frame(wire.PING, 0, 1, bytes(8)))
        self.failureResultOf(waiting)
        self.failureResultOf(reading)
        held.turn(2.0)
        self.assertTrue(upstream.socket.aborted)

    def test_silent(self) -> None:
        """
        A request that is given up after a silence: upstream is asked whether it is there, and the next requests go
        elsewhere until it has said so. One that does not is cut, with all that waits there.
        """
        for answers in (True, False):
            held, upstream = self.opened(idle_timeout=100.0)
            waiting, given_up = held.ask(), held.ask()
            upstream.hear()
            held.turn(2.0)
            given_up.cancel()
            self.failureResultOf(given_up)
            other = held.ask()
            self.assertEqual(len(held.waiting), 1, answers)
            held.accept().answer(1)
            self.assertEqual(self.successResultOf(other).code, 200, answers)
            if answers:
                upstream.flush()
                held.ask()
                upstream.hear()
                self.assertIn(7, upstream.heads)
            held.turn(16.0)
            self.assertEqual((upstream.socket.aborted, waiting.called), (not answers, False), answers)
            if not answers:
                self.assertEqual(len(held.waiting), 0, answers)

    def test_many_given_up(self) -> None:
        """Upstream ends connections on which most requests are given up: the next ones go to another before that."""
        held, upstream = self.opened()
        running = held.ask()
        for _ in range(MOST_RESETS - 1):
            held.ask().addErrback(lambda reason: None).cancel()
        held.ask().addErrback(lambda reason: None)
        self.assertEqual(held.waiting, [])
        given_up = held.ask()
        given_up.cancel()
        self.failureResultOf(given_up)
        held.ask()
        self.assertEqual(len(held.waiting), 1)
        upstream.answer(3)
        self.assertEqual(self.successResultOf(running).code, 200)

    def test_given_up_at_once(self) -> None:
        """A client that leaves while something comes is no reason to ask."""
        held, upstream = self.opened()
        held.ask().addErrback(lambda reason: None).cancel()
        sent = upstream.socket.value()
        self.assertNotIn(b"llmproxy", sent)

    def test_reset(self) -> None:
        """One stream that upstream ends is over; the other is not."""
        _, upstream, waiting, reading = self.running()
        upstream.http.reset_stream(3, ErrorCode.INTERNAL_ERROR)
        upstream.flush()
        self.assertEqual(self.failureResultOf(waiting, UpstreamReset).value.progress, "sent")
        self.assertNoResult(reading)
        upstream.http.reset_stream(5, ErrorCode.INTERNAL_ERROR)
        upstream.flush()
        self.assertEqual(self.failureResultOf(reading, UpstreamReset).value.cause, "cut_short")

    def test_malformed(self) -> None:
        """An answer that is none ends its own stream."""
        _, upstream, waiting, reading = self.running()
        upstream.say(frame(wire.HEADERS, wire.END_HEADERS, 3, b"\x00\x01X\x011"))
        self.failureResultOf(waiting, UpstreamProtocolError)
        self.assertNoResult(reading)
        upstream.hear()
        self.assertEqual(upstream.resets, {3: ErrorCode.PROTOCOL_ERROR})

    def test_reader(self) -> None:
        """A reader that stumbles ends its own stream."""
        held, upstream, waiting, reading = self.running()

        def stumble(data: bytes) -> None:
            raise ZeroDivisionError

        asked = held.ask()
        upstream.hear()
        upstream.http.send_headers(7, OK)
        upstream.flush()
        done = self.successResultOf(asked).body.startProducing(Reader(stumble))
        upstream.http.send_data(7, b"x")
        upstream.http.send_headers(3, OK, end_stream=True)
        upstream.flush()
        self.failureResultOf(done, ZeroDivisionError)
        self.assertEqual(self.successResultOf(waiting).code, 200)
        self.assertNoResult(reading)
        self.assertEqual(upstream.resets, {7: ErrorCode.CANCEL})
