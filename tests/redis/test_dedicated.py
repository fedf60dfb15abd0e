"""A connection for calls that wait in Redis, under a clock of the test's own."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.redis.commands import command
from llmproxy.redis.connection import RedisDown, RedisRefused
from llmproxy.redis.dedicated import DedicatedConnection

from ..cache.fakeredis import FakeConnector

PING = command(b"PING")


class DedicatedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.connector = FakeConnector()
        self.connection = DedicatedConnection(self.clock, self.connector, 1.0)

    def call(self, wait: float = 0.0) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.connection.call(PING, wait))

    def test_answer(self) -> None:
        """It is opened by the first call, kept for the next, and nothing of a call stays behind."""
        self.assertEqual((self.connector.attempts, self.connection.stands), (0, False))
        for answer in (b"a", b"b"):
            call = self.call()
            self.connector.connections[0].answer(answer)
            self.assertEqual(self.successResultOf(call), answer, answer)
        self.assertEqual((self.connector.attempts, self.connection.stands), (1, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """An error reply is that call's, and the connection stays."""
        call = self.call()
        self.connector.connections[0].refuse("NOGROUP")
        self.failureResultOf(call, RedisRefused)
        self.assertTrue(self.connection.stands)

    def test_waits(self) -> None:
        """A call may wait in Redis for as long as it asked to; a Redis that is gone is given up a little later."""
        call = self.call(5.0)
        self.clock.advance(5.9)
        self.assertNoResult(call)
        self.clock.advance(0.1)
        self.failureResultOf(call, RedisDown)
        self.assertFalse(self.connection.stands)
        again = self.call()
        self.connector.connections[1].answer(b"x")
        self.assertEqual(self.successResultOf(again), b"x")

    def test_away(self) -> None:
        """Without Redis a call fails, and the next one tries again."""
        self.connector.failure = OSError("refused")
        failure = self.failureResultOf(self.call(), RedisDown)
        self.assertIn("refused", str(failure.value))
        self.failureResultOf(self.call(), RedisDown)
        self.assertEqual(self.connector.attempts, 2)

    def test_many(self) -> None:
        """Commands that are sent together have each what came of it."""
        call = Deferred.fromCoroutine(self.connection.call_all([PING, PING, PING]))
        connection = self.connector.connections[0]
        connection.answer(b"a")
        connection.refuse("OOM")
        connection.abort()
        one, two, three = self.successResultOf(call)
        self.assertEqual((one, str(two), type(three)), (b"a", "OOM", RedisDown))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_in_vain(self) -> None:
        """Without an answer in time they are given up; who stops waiting closes the connection."""
        call = Deferred.fromCoroutine(self.connection.call_all([PING, PING]))
        self.clock.advance(1.0)
        self.assertEqual([type(each) for each in self.successResultOf(call)], [RedisDown, RedisDown])
        again = Deferred.fromCoroutine(self.connection.call_all([PING]))
        again.cancel()
        self.failureResultOf(again, CancelledError)
        self.assertTrue(self.connector.connections[1].aborted)
        self.connector.failure = OSError("refused")
        self.failureResultOf(Deferred.fromCoroutine(self.connection.call_all([PING])), RedisDown)

    def test_cancelled(self) -> None:
        """Who stops waiting closes the connection: the reply of an old call is never that of a new one."""
        call = self.call(5.0)
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.assertTrue(self.connector.connections[0].aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """Stopped, it fails what is under way and what comes later, and does not connect any more."""
        call = self.call(5.0)
        self.connection.stop()
        self.failureResultOf(call, RedisDown)
        self.failureResultOf(self.call(), RedisDown)
        self.assertEqual((self.connector.attempts, self.clock.getDelayedCalls()), (1, []))

    def test_stop_while_connecting(self) -> None:
        """A stop ends an attempt to connect."""
        cancelled: list[Deferred[Any]] = []
        connection = DedicatedConnection(self.clock, lambda: Deferred(cancelled.append), 1.0)
        call = Deferred.fromCoroutine(connection.call(PING))
        connection.stop()
        self.failureResultOf(call, RedisDown)
        self.assertEqual(len(cancelled), 1)

    def test_together(self) -> None:
        """Calls that come while it connects share the connection; if that fails, the next one tries again."""
        attempts: list[Deferred[Any]] = []

        def connect() -> Deferred[Any]:
            attempts.append(Deferred())
            return attempts[-1]

        connection = DedicatedConnection(self.clock, connect, 1.0)
        calls = [Deferred.fromCoroutine(connection.call(PING)) for _ in range(3)]
        self.assertEqual(len(attempts), 1)
        attempts[0].errback(OSError("refused"))
        self.failureResultOf(calls[0], RedisDown)
        self.assertEqual(len(attempts), 2)
        calls[2].cancel()
        self.failureResultOf(calls[2], CancelledError)
        opened = self.successResultOf(self.connector())
        attempts[1].callback(opened)
        opened.answer(b"x")
        self.assertEqual((self.successResultOf(calls[1]), len(opened.sent)), (b"x", 1))
        connection.stop()
