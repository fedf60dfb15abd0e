"""What a Redis evicts, as it says itself."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.redis.connection import RedisRefused
from llmproxy.redis.eviction import EvictionWatch, policy_of, warning_of
from llmproxy.redis.pool import RedisPool

from ..cache.fakeredis import FakeConnector
from ..tables import row

INFO = b"# Memory\r\nused_memory:1\r\nmaxmemory:0\r\nmaxmemory_policy:%s\r\nmem_allocator:libc\r\n"


class PolicyTests(SynchronousTestCase):
    def test_policy(self) -> None:
        """It is a line of INFO; of another answer nothing is known."""
        for info, policy in (
            (INFO % b"allkeys-lru", "allkeys-lru"),
            (INFO % b"noeviction", "noeviction"),
            (b"maxmemory_policy:volatile-ttl", "volatile-ttl"),
            (b"# Memory\r\n", ""),
            (INFO % b"<script>", ""),
            (None, ""),
            (3, ""),
        ):
            with row(self, info):
                self.assertEqual(policy_of(info), policy)

    def test_warning(self) -> None:
        """Any other policy than the one may take limits."""
        self.assertEqual([warning_of(each, "redis://h") for each in ("", "noeviction")], ["", ""])
        for policy in ("allkeys-lru", "volatile-ttl", "allkeys-random"):
            with row(self, policy):
                self.assertIn(f"redis://h: maxmemory-policy is {policy}", warning_of(policy, "redis://h"))


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.connector, self.info = Clock(), FakeConnector(), INFO % b"allkeys-lru"
        self.connector.answers = self.answer
        self.said: list[str] = []
        self.pool = RedisPool(self.clock, self.connector, 1, 1.0)
        self.pool.say = self.said.append  # type: ignore[method-assign]
        self.pool._complaints.say = lambda kind, why: None  # type: ignore[method-assign]
        self.watch = EvictionWatch(self.pool, "redis://h")
        self.addCleanup(self.pool.stop)

    def answer(self, words: list[bytes]) -> Any:
        return b"PONG" if words == [b"PING"] else self.info

    def test_before_it_is_connected(self) -> None:
        self.assertEqual(self.watch.warnings(), ["redis://h: does not answer: on_store_failure says what holds"])

    def test_evicts(self) -> None:
        """It is logged once, and is a warning until it does so no more."""
        self.pool.start()
        [warning] = self.watch.warnings()
        self.assertEqual(self.said, [warning])
        self.connector.connections[0].abort()
        self.clock.pump([0.1] * 50)
        self.assertEqual((self.watch.warnings(), self.said), ([warning], [warning]))
        self.info = INFO % b"noeviction"
        self.connector.connections[-1].abort()
        self.clock.pump([0.1] * 50)
        self.assertEqual(self.watch.warnings(), [])

    def test_may_not_be_asked(self) -> None:
        """Where that is not allowed, nothing is known, and nothing is said."""
        self.connector.answers = None
        self.pool.start()
        self.connector.connections[0].answer(RedisRefused("NOPERM"))
        self.assertEqual((self.watch.warnings(), self.said), ([], []))
