"""Tests for L{llmproxy.upstream.http2.opening}: who waits for a connection, and what becomes of them."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError

from llmproxy.errors import UpstreamProtocolError, UpstreamReset, UpstreamUnreachable
from llmproxy.upstream.hostpool import Overloaded

from .wire import Http2Wire, SiteTestCase


class OpeningTests(SiteTestCase):
    def test_burst(self) -> None:
        """Who comes while a connection is being opened waits for that one; no other is opened."""
        held = Http2Wire()
        asked = [held.ask() for _ in range(50)]
        self.assertEqual(len(held.waiting), 1)
        upstream = held.accept(settle=False)
        upstream.hear()
        self.assertEqual(len(upstream.heads), 1)
        asked.append(held.ask())
        self.assertEqual(len(held.waiting), 0)
        upstream.flush()
        self.assertEqual(len(upstream.heads), 51)
        self.answer_all(held)
        self.assertEqual(self.statuses(asked), [200] * 51)

    def test_more_than_fit(self) -> None:
        """More at once than upstream takes on one connection are sent on others."""
        held, _ = self.opened(most=10)
        asked = [held.ask() for _ in range(35)]
        self.answer_all(held)
        self.assertEqual(self.statuses(asked), [200] * 35)
        self.assertIn(len(held.upstreams), range(2, 5))
        self.assertTrue(held.pool.is_quiet)

    def test_limit(self) -> None:
        """With a limit of connections they wait for a stream; beyond what may wait they are refused."""
        held, upstream = self.opened(most=2, max_connections_per_host=1, max_waiting_per_host=3)
        asked = [held.ask() for _ in range(6)]
        self.failureResultOf(asked.pop(), Overloaded)
        self.assertEqual(held.waiting, [])
        asked.pop().addErrback(lambda reason: reason.trap(CancelledError)).cancel()
        for stream in (3, 5, 7, 9):
            upstream.answer(stream)
        self.assertEqual(self.statuses(asked), [200] * 4)
        self.assertEqual(len(held.upstreams), 1)

    def test_not_opened(self) -> None:
        """All who waited for a connection that was refused fail as over HTTP/1.1."""
        held = Http2Wire()
        asked = [held.ask() for _ in range(3)]
        held.refuse(ConnectionRefusedError())
        for each in asked:
            self.failureResultOf(each, UpstreamUnreachable)
        self.assertEqual((held.waiting, held.pool.is_quiet), ([], True))

    def test_cancelled(self) -> None:
        """The connection is opened for as long as anybody waits for it."""
        held = Http2Wire()
        one, two = held.ask(), held.ask()
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertEqual(len(held.waiting), 1)
        two.cancel()
        self.failureResultOf(two, CancelledError)
        self.assertEqual((held.waiting, held.pool.is_quiet), ([], True))

    def test_lost_before_settings(self) -> None:
        """A connection that closes before it has said anything: what was sent fails, and nothing else was sent."""
        held = Http2Wire()
        one, two = held.ask(b"POST"), held.ask(b"POST")
        held.accept(settle=False).socket.hang_up()
        progress = [self.failureResultOf(each, UpstreamReset).value.progress for each in (one, two)]
        self.assertEqual(progress, ["sent", "unsent"])
        self.assertTrue(held.pool.is_quiet)

    def test_no_settings(self) -> None:
        """An upstream that says nothing at all holds up those who wait for so long, and no longer."""
        held = Http2Wire()
        one, two = held.ask(), held.ask(b"POST")
        upstream = held.accept(settle=False)
        held.turn(9.0)
        self.assertEqual((one.called, two.called), (False, False))
        held.turn(3.0)
        self.failureResultOf(one, UpstreamProtocolError)
        self.assertEqual(self.failureResultOf(two, UpstreamReset).value.progress, "unsent")
        self.assertFalse(upstream.socket.open)
        self.assertTrue(held.pool.is_quiet)
