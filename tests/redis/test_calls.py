"""Tests for L{llmproxy.redis.calls}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache import scripts
from llmproxy.redis.calls import RedisCalls
from llmproxy.redis.connection import RedisDown, RedisRefused
from llmproxy.redis.pool import RedisPool

from ..cache.fakeredis import FakeConnection, FakeConnector


class CallsTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock, connector = Clock(), FakeConnector()
        self.pool = RedisPool(clock, connector, 1, 1.0)
        self.said: list[tuple[str, str]] = []
        self.pool.complain = lambda kind, why: self.said.append((kind, why))  # type: ignore[method-assign]
        self.calls = RedisCalls(self.pool)
        self.pool.start()
        self.addCleanup(self.pool.stop)
        self.redis: FakeConnection = connector.connections[0]

    def test_by_name(self) -> None:
        """A script is sent by its name, and whole only to a Redis that does not know it."""
        running = self.calls.run(scripts.COUNT, (b"k",), b"a")
        self.assertEqual(self.redis.sent, [[b"EVALSHA", scripts.COUNT.sha, b"1", b"k", b"a"]])
        self.redis.refuse("NOSCRIPT No matching script. Please use EVAL.")
        self.assertEqual(self.redis.sent[1], [b"EVAL", scripts.COUNT.source, b"1", b"k", b"a"])
        self.redis.answer(5)
        self.assertEqual(self.successResultOf(running), 5)

    def test_refused(self) -> None:
        """Other refusals are its own."""
        running = self.calls.run(scripts.COUNT, (b"k",), b"a")
        self.redis.refuse("OOM command not allowed when used memory > 'maxmemory'.")
        self.failureResultOf(running, RedisRefused)
        self.assertEqual(len(self.redis.sent), 1)

    def safely(self, error: Exception) -> object:
        async def work() -> object:
            raise error

        return self.successResultOf(self.calls.safely(work(), "nothing"))

    def test_safely(self) -> None:
        """Whatever goes wrong is said once, and is no fault of a request; that Redis is away is said elsewhere."""
        for error in (RedisDown("away"), RedisRefused("OOM x"), ValueError("two values")):
            self.assertEqual(self.safely(error), "nothing", error)
        self.assertEqual(self.said, [("refused", "OOM x"), ("garbage", "an answer was not understood: two values")])

    def test_cluster(self) -> None:
        """A node of a cluster is called what it is; what it says is bounded."""
        for text in ("MOVED 1 10.0.0.1:6379", "ASK 1 10.0.0.1:6379", "CROSSSLOT x", "CLUSTERDOWN x"):
            self.safely(RedisRefused(text))
            [(kind, why)] = self.said
            self.assertEqual((kind, why.partition(": this")[0]), ("refused", text), text)
            self.said.clear()
        self.safely(RedisRefused("E" * 1000))
        self.assertEqual(self.said, [("refused", "E" * 200)])
