"""Tests for L{llmproxy.upstream.http2.site}: which connection an exchange goes to, and when it is sent again."""

from __future__ import annotations

from llmproxy.bodies import BytesBody
from llmproxy.core.http2 import frames as wire
from llmproxy.core.http2.frames import ErrorCode, frame
from llmproxy.errors import Draining, UpstreamReset
from llmproxy.upstream.http2.site import HTTP1_FOR, MOST_REFUSALS

from ..wire import EMPTY, Body, Reader
from .wire import OK, Http2Wire, SiteTestCase


class FirstTests(SiteTestCase):
    """Upstreams that choose HTTP/1.1."""

    def test_chosen(self) -> None:
        """What waited goes over HTTP/1.1, a connection each; nothing else is offered for a while."""
        held = Http2Wire()
        asked = [held.ask() for _ in range(3)]
        held.accept_http1()
        self.assertEqual([site.address.http2 for site, _ in held.waiting], [False, False])
        held.accept_http1()
        held.accept_http1()
        heard = [socket.heard().partition(b"\r\n")[0] for socket in held.http1]
        self.assertEqual(heard, [b"GET / HTTP/1.1"] * 3)
        for socket in held.http1:
            socket.say(EMPTY)
        self.assertEqual(self.statuses(asked), [200] * 3)
        held.ask()
        self.assertEqual((held.waiting, held.client.pool.reused), ([], 1))
        held.clock.advance(HTTP1_FOR + 1)
        held.ask()
        self.assertEqual([site.address.http2 for site, _ in held.waiting], [True])

    def test_limit(self) -> None:
        """The limit of connections holds there, for the one that was opened to find out as well."""
        held = Http2Wire(max_connections_per_host=1)
        upgrade = held.ask(upgrade=True)
        one = held.ask()
        self.assertEqual([site.address.http2 for site, _ in held.waiting], [False, True])
        first, second = held.accept_http1(), held.accept_http1()
        self.assertTrue(second.closed)
        first.say(EMPTY)
        held.turn()
        self.successResultOf(upgrade)
        self.assertIn(b"GET", first.heard())
        first.say(EMPTY)
        self.assertEqual(self.successResultOf(one).code, 200)

    def test_required(self) -> None:
        """An upstream that wants a request over HTTP/1.1 gets it so."""
        held, upstream = self.opened()
        asked = held.ask(b"POST", data=b"x")
        upstream.hear()
        upstream.http.reset_stream(3, ErrorCode.HTTP_1_1_REQUIRED)
        upstream.flush()
        socket = held.accept_http1()
        self.assertTrue(socket.heard().endswith(b"\r\n\r\nx"))
        socket.say(EMPTY)
        self.assertEqual(self.successResultOf(asked).code, 200)

    def test_upgrade(self) -> None:
        """A request for another protocol goes over HTTP/1.1, where that can be."""
        held, _ = self.opened()
        held.ask(fields={"Upgrade": "websocket", "Connection": "Upgrade"}, upgrade=True)
        self.assertEqual([site.address.http2 for site, _ in held.waiting], [False])

    def test_te(self) -> None:
        """C{TE: trailers} goes over HTTP/2 only: over HTTP/1.1 it is of the connection."""
        one, two = Http2Wire(), Http2Wire()
        for held in (one, two):
            held.send(b"GET", [(b"TE", b"trailers"), (b"X-A", b"1")])
        self.assertEqual(dict(one.accept().heads[1])[b"te"], b"trailers")
        self.assertNotIn(b"TE", two.accept_http1().heard())


class RetryTests(SiteTestCase):
    """What may be sent again, and where it goes."""

    def test_refused(self) -> None:
        """A stream that upstream refuses is sent again, whatever its method; an upload that has begun is not."""
        held, upstream = self.opened()
        sent = Sent()
        asked = held.send(b"POST", [], BytesBody(b"x"), sent=sent)
        small = Body(1, at_once=b"y")
        small.done.callback(None)
        replayed, streamed = held.send(b"POST", [], small), held.send(b"POST", [], Body())
        upstream.hear()
        for stream in (3, 5, 7):
            upstream.http.reset_stream(stream, ErrorCode.REFUSED_STREAM)
        upstream.flush()
        self.assertEqual(self.failureResultOf(streamed, UpstreamReset).value.progress, "unsent")
        self.assertEqual((upstream.bodies[9], upstream.bodies[11]), (b"x", b"y"))
        upstream.answer(9)
        upstream.answer(11)
        self.assertEqual(self.statuses([asked, replayed]), [200, 200])
        self.assertEqual(sent.attempts, 1)

    def test_refused_for_ever(self) -> None:
        """An upstream that refuses everything is asked so often, and then the request fails as not sent."""
        held, upstream = self.opened()
        asked = held.ask(b"POST")
        for count in range(MOST_REFUSALS + 1):
            upstream.hear()
            self.assertFalse(asked.called, count)
            upstream.http.reset_stream(3 + 2 * count, ErrorCode.REFUSED_STREAM)
            upstream.flush()
        error = self.failureResultOf(asked, UpstreamReset).value
        self.assertEqual((error.progress, error.retryable), ("unsent", True))

    def test_goaway(self) -> None:
        """Streams above the last one go to another connection; those below end here, and then this one closes."""
        held, upstream = self.opened()
        asked = [held.ask(b"POST") for _ in range(4)]
        upstream.hear()
        upstream.say(frame(wire.GOAWAY, 0, 0, (5).to_bytes(4, "big") + bytes(4)))
        other = held.accept()
        self.assertEqual(len(other.heads), 2)
        self.assertTrue(upstream.socket.open)
        for stream in (3, 5):
            upstream.http.send_headers(stream, OK, end_stream=True)
        upstream.socket.say(upstream.http.data_to_send())
        self.assertTrue(upstream.socket.closed)
        held.turn()
        other.answer(1)
        other.answer(3)
        self.assertEqual((self.statuses(asked), held.pool.connections), ([200] * 4, 1))

    def test_goaway_during_load(self) -> None:
        """Connections that take five requests each, and many at once: none is lost."""
        held = Http2Wire()
        asked = [held.ask(b"POST") for _ in range(40)]
        for _ in range(20):
            while held.waiting:
                held.accept()
            for upstream in held.upstreams:
                if upstream.socket.open and upstream.heads:
                    upstream.hear()
                    for stream in (each for each in sorted(upstream.heads) if each < 11):
                        upstream.http.send_headers(stream, OK, end_stream=True)
                    answers = upstream.http.data_to_send()
                    upstream.socket.say(frame(wire.GOAWAY, 0, 0, (9).to_bytes(4, "big") + bytes(4)), answers)
            held.turn()
        self.assertEqual(self.statuses(asked), [200] * 40)
        self.assertEqual((len(held.upstreams), held.pool.connections), (8, 0))

    def test_stale(self) -> None:
        """A kept connection that breaks: what is safe is sent again once, the rest is not."""
        held, upstream = self.opened()
        get, post = held.ask(), held.ask(b"POST")
        upstream.socket.hang_up()
        self.failureResultOf(post, UpstreamReset)
        held.accept().answer(1)
        self.assertEqual(self.successResultOf(get).code, 200)

    def test_answered(self) -> None:
        """What upstream has begun to answer is not sent again, even if it says that it has refused it."""
        held, upstream = self.opened()
        asked = held.ask()
        upstream.hear()
        upstream.http.send_headers(3, [(b":status", b"103")])
        upstream.flush()
        upstream.http.reset_stream(3, ErrorCode.REFUSED_STREAM)
        upstream.flush()
        self.assertEqual(self.failureResultOf(asked, UpstreamReset).value.progress, "answered")


class Sent:
    attempts = 0


class KeepingTests(SiteTestCase):
    def test_idle(self) -> None:
        """A connection without streams is closed after its time, in order; at work it never is."""
        held, upstream = self.opened(idle_timeout=5.0)
        held.turn(4.5)
        self.assertTrue(upstream.socket.open)
        asked = held.ask()
        held.turn(8.0)
        upstream.answer(3)
        self.assertEqual(self.successResultOf(asked).code, 200)
        held.turn(4.5)
        self.assertTrue(upstream.socket.open)
        held.turn(1.0)
        self.assertTrue(upstream.socket.closed)
        self.assertEqual(held.pool.connections, 0)
        self.assertEqual(held.client.pool.connections, 0)

    def test_lifetime(self) -> None:
        """One that is too old takes nothing more, and closes when its last stream has ended."""
        held, upstream = self.opened(max_lifetime=10.0, idle_timeout=100.0)
        running = held.ask()
        held.turn(11.0)
        held.ask()
        self.assertEqual(len(held.waiting), 1)
        upstream.answer(3)
        self.successResultOf(running)
        self.assertTrue(upstream.socket.closed)

    def test_idle_limits(self) -> None:
        """Where none is to be kept, none is, but for a moment."""
        for limit in ({"max_idle_per_host": 0}, {"max_idle": 0}):
            held, upstream = self.opened(idle_timeout=100.0, **limit)
            held.turn(1.5)
            self.assertTrue(upstream.socket.closed, limit)

    def test_shed(self) -> None:
        """Descriptors are given back of what has no work."""
        held, upstream = self.opened()
        self.assertEqual((held.client.shed(), upstream.socket.aborted), (1, True))
        held, upstream = self.opened()
        held.ask()
        self.assertEqual((held.client.shed(), upstream.socket.open), (0, True))

    def test_close(self) -> None:
        """All that runs or waits fails, all is closed, and nothing is opened any more; no timer is left."""
        held, upstream = self.opened(max_connections_per_host=1, most=2)
        waiting, reading, queued = held.ask(), held.ask(), held.ask()
        upstream.hear()
        upstream.http.send_headers(5, OK)
        upstream.flush()
        done = self.successResultOf(reading).body.startProducing(Reader())
        closing = held.client.close()
        for each in (waiting, queued, done, held.ask()):
            self.failureResultOf(each, Draining)
        held.turn(2.0)
        self.successResultOf(closing)
        self.assertEqual((held.pool.connections, held.client.is_quiet), (0, True))
        held.client._wheel.stop()
        self.assertEqual(held.clock.getDelayedCalls(), [])

    def test_close_while_opening(self) -> None:
        """Likewise where a connection is being opened."""
        held = Http2Wire()
        asked = held.ask()
        self.successResultOf(held.client.close())
        self.failureResultOf(asked, Draining)
        self.assertEqual(held.waiting, [])

    def test_no_streams(self) -> None:
        """An upstream that takes no streams any more is left."""
        _, upstream = self.opened(idle_timeout=100.0)
        upstream.say(frame(wire.SETTINGS, 0, 0, bytes((0, 3)) + bytes(4)))
        self.assertTrue(upstream.socket.closed)
