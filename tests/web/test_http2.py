"""Tests for L{llmproxy.web.http2}; tests/integration/test_http2.py has it over real sockets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.limits import Limits

from .http2wire import Http2Client
from .wire import Streaming, Whole

LIMITS = Limits(idle=5.0, closing=2.0)


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

    def test_no_http2(self) -> None:
        """What is no HTTP/2 ends the connection, and is told; who does not close then is reset."""
        self.client.transport.disconnecting = False
        self.client.transport.room = 0
        self.client.transport.deliver(b"\0\0\4\1\0\0\0\0\0junk" * 3)
        self.client.clock.advance(0)
        self.assertEqual(self.client.refusals, [(400, "malformed_request", "192.0.2.1", "HTTP/2 protocol error")])
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
        """What is still on its way to a stream that has ended disturbs nobody."""
        stream = self.client.begin()
        self.resource.seen[0].answer()
        for _ in range(3):
            self.client.http.send_data(stream, b"x" * 10)
        self.client.run()
        other = self.client.get()
        self.resource.seen[1].answer()
        self.client.run()
        self.assertEqual((self.client.ended[stream], self.client.contents[other]), ("complete NO_ERROR", b"ok"))


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
