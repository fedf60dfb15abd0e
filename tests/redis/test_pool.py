"""The connections to Redis, under a clock of the test's own."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redisoptions import RedisLocation, RedisOptions
from llmproxy.redis.commands import command
from llmproxy.redis.connection import RedisDown, RedisRefused
from llmproxy.redis.pool import FULL, MOST_UNANSWERED, PATIENCE, RedisPool, open_pool

from ..cache.fakeredis import FakeConnector

GET = command(b"GET", b"x")


class PoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.connector = FakeConnector()
        self.pool = RedisPool(self.clock, self.connector, 2, 1.0)
        self.said: list[str] = []
        self.pool._complaints.say = lambda kind, why: self.said.append(kind)  # type: ignore[method-assign]

    def start(self) -> None:
        self.pool.start()
        self.addCleanup(self.pool.stop)

    def lookup(self) -> Deferred[Any]:
        """As a store does it: it gives no failure."""
        return self.pool.in_time(self.pool.call(GET).addErrback(lambda _: None), None)

    def open_circuit(self) -> None:
        for _ in range(5):
            self.late()

    def late(self, count: int = 1) -> list[Deferred[Any]]:
        """Lookups that are given up."""
        lookups = [self.lookup() for _ in range(count)]
        self.clock.pump([PATIENCE, 0])
        return lookups

    def test_shared(self) -> None:
        """Commands fill one connection after the other, and wait for nobody's reply."""
        self.start()
        one, two = self.connector.connections
        calls = [self.pool.call(GET) for _ in range(2 * FULL + 4)]
        self.assertEqual((len(one.sent), len(two.sent)), (FULL + 2, FULL + 2))
        two.answer(b"b")
        one.answer(b"a")
        self.assertEqual(self.successResultOf(calls[0]), b"a")
        self.assertEqual(self.successResultOf(calls[FULL]), b"b")
        self.assertEqual(self.pool.calls, 2)
        for call in calls:
            call.addErrback(lambda _: None)

    def test_error_reply(self) -> None:
        """An error of one command is that command's."""
        self.start()
        call = self.pool.call(GET)
        self.connector.connections[0].refuse("OOM command not allowed")
        self.failureResultOf(call, RedisRefused)
        self.assertEqual(self.pool.connected, 2)

    def test_away_from_the_start(self) -> None:
        """Without Redis a proxy starts all the same; nothing is waited for, and it is tried again by itself."""
        self.connector.failure = OSError("connection refused")
        self.start()
        self.failureResultOf(self.pool.call(GET), RedisDown)
        attempts = self.connector.attempts
        self.clock.pump([0.1] * 600)
        self.assertGreater(self.connector.attempts - attempts, 40)
        self.assertLess(self.connector.attempts - attempts, 80)
        self.connector.failure = None
        logged: list[str] = []
        self.patch(self.pool, "_log", type("Log", (), {"info": lambda _, text, **values: logged.append(text)})())
        self.clock.pump([0.1] * 21)
        self.assertEqual((self.pool.connected, len(logged)), (2, 1))
        self.lookup()
        self.assertEqual(self.connector.connections[0].sent, [[b"GET", b"x"]])

    def test_lost(self) -> None:
        """What was under way when a connection ends fails at once, and another connection is opened."""
        self.start()
        call = self.pool.call(GET)
        self.connector.connections[0].abort()
        self.failureResultOf(call, RedisDown)
        self.assertEqual((self.pool.connected, self.pool.errors["lost"]), (1, 1))
        self.clock.advance(0.1)
        self.assertEqual(self.pool.connected, 2)

    def test_silent(self) -> None:
        """A connection whose peer is gone without a word is given up; one that has nothing to answer is not."""
        self.start()
        call = self.pool.call(GET)
        self.clock.pump([0.25] * 3)
        self.assertNoResult(call)
        self.clock.advance(0.25)
        self.failureResultOf(call, RedisDown)
        self.assertEqual([each.aborted for each in self.connector.connections], [True, False])

    def test_busy_is_not_silent(self) -> None:
        """As long as something is answered, the rest is waited for."""
        self.start()
        self.connector.connections[1].abort()
        calls = [self.pool.call(GET) for _ in range(6)]
        for _ in range(6):
            self.clock.advance(0.5)
            self.connector.connections[0].answer(b"")
        for call in calls:
            self.successResultOf(call)

    def test_lookup_waits_no_longer(self) -> None:
        """A request waits less than a twentieth of a second for a Redis that is slow."""
        self.start()
        (lookup,) = self.late()
        self.assertIsNone(self.successResultOf(lookup))
        self.assertLess(PATIENCE, 0.05)
        self.assertEqual(self.pool.errors["late"], 1)

    def test_slow_is_left_alone(self) -> None:
        """After a few lookups in vain none waits any more, whatever their number."""
        self.start()
        self.open_circuit()
        for _ in range(100):
            self.assertIsNone(self.successResultOf(self.lookup()))
        self.assertEqual(sum(len(each.sent) for each in self.connector.connections), 5)

    def test_a_moment(self) -> None:
        """A hundred requests that wait at the same time are one reason, not a hundred."""
        self.start()
        self.late(100)
        self.assertNoResult(self.lookup())
        self.assertEqual(self.pool.errors["late"], 100)

    def test_back_by_itself(self) -> None:
        """When Redis answers in time again it is used again, and no request has to try that."""
        self.start()
        self.open_circuit()
        for connection in self.connector.connections:
            while connection._waiting:
                connection.answer(b"late")
        asked: list[str] = []
        self.pool.when_connected(lambda: asked.append("again"))
        self.clock.advance(1.0)
        probed = [each for each in self.connector.connections if each.sent[-1:] == [[b"PING"]]]
        self.assertEqual(len(probed), 1)
        self.assertIsNone(self.successResultOf(self.lookup()))
        probed[0].answer(b"PONG")
        self.assertEqual(asked, ["again"])
        self.assertNoResult(self.lookup())

    def test_still_slow(self) -> None:
        """A PING that takes long does not bring the requests back."""
        self.start()
        self.open_circuit()
        for connection in self.connector.connections:
            while connection._waiting:
                connection.answer(b"late")
        self.clock.advance(1.0)
        (probed,) = (each for each in self.connector.connections if each.sent[-1:] == [[b"PING"]])
        self.clock.advance(0.1)
        probed.answer(b"PONG")
        self.assertIsNone(self.successResultOf(self.lookup()))

    def test_answers_between(self) -> None:
        """A slow one now and then is no reason to leave Redis alone."""
        self.start()
        for _ in range(10):
            self.late()
            self.connector.connections[0].answer(b"late")
            self.lookup()
            self.connector.connections[0].answer(b"in time")
        self.assertNoResult(self.lookup())

    def test_bounded(self) -> None:
        """What waits for a Redis that reads nothing has a limit."""
        self.start()
        big = command(b"SET", b"x", bytes(MOST_UNANSWERED // 4))
        calls = [self.pool.call(big) for _ in range(4)]
        self.failureResultOf(calls[3], RedisDown)
        self.connector.connections[0].answer(b"OK")
        more = self.pool.call(big)
        self.assertNoResult(more)
        for call in (*calls, more):
            call.addErrback(lambda _: None)

    def test_large_alone(self) -> None:
        """An answer above that limit is sent when nothing else is on its way."""
        self.start()
        huge = self.pool.call(command(b"SET", b"x", bytes(MOST_UNANSWERED + 1)))
        self.connector.connections[0].answer(b"OK")
        self.assertEqual(self.successResultOf(huge), b"OK")

    def test_said_once_a_kind(self) -> None:
        """Each kind of fault is counted and told by its name."""
        self.connector.failure = OSError("refused")
        self.start()
        self.assertEqual(self.said, ["redis down", "redis down"])
        self.assertEqual(self.pool.errors["down"], 2)

    def test_stop(self) -> None:
        """At the end no connection, no timer and no call is left."""
        self.pool.start()
        call = self.pool.call(GET)
        lookup = self.lookup()
        self.pool.stop()
        self.failureResultOf(call, RedisDown)
        self.successResultOf(lookup)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual([each.aborted for each in self.connector.connections], [True, True])

    def test_stop_while_away(self) -> None:
        """Nor is anything tried again afterwards."""
        self.connector.failure = OSError("refused")
        self.pool.start()
        self.pool.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OpenTests(SynchronousTestCase):
    def test_options(self) -> None:
        """As many connections as the options say, to the place that they name."""
        reactor = MemoryReactorClock()
        pool = open_pool(reactor, RedisOptions(RedisLocation(path="/run/redis.sock"), 3, 2.0), "limits")
        self.assertEqual(reactor.unixClients, [])
        pool.start()
        self.addCleanup(pool.stop)
        self.assertEqual([(client[0], client[2]) for client in reactor.unixClients], [("/run/redis.sock", 2.0)] * 3)

    def test_area(self) -> None:
        """A line of the log says what is without its Redis."""
        lines: list[Any] = []
        observe = lines.append
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        connector = FakeConnector()
        connector.failure = OSError("connection refused")
        pool = RedisPool(Clock(), connector, 1, 1.0, "redis://x", "limits")
        pool.start()
        pool.stop()
        [line] = map(formatEvent, lines)
        self.assertTrue(line.startswith("limits: redis://x down: cannot connect: connection refused"), line)

    def test_closed_from_here(self) -> None:
        """A pool that stops neither complains of its own connections nor opens others."""
        clock, connector = Clock(), FakeConnector()
        pool = RedisPool(clock, connector, 2, 1.0)
        pool.start()
        pool.stop()
        clock.advance(60)
        self.assertEqual((connector.attempts, pool.connected, pool.errors["lost"]), (2, 0, 0))
