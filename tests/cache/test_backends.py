"""Which store a configuration asks for."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.backends import MOST_NEAR, choose_store
from llmproxy.cache.memory import MemoryStore
from llmproxy.cache.redis import RedisStore
from llmproxy.cache.tiered import TieredStore
from llmproxy.core.caching.settings import CacheOptions
from llmproxy.core.redisoptions import RedisLocation, RedisOptions
from llmproxy.errors import ConfigError


class ChooseTests(SynchronousTestCase):
    def test_memory(self) -> None:
        """Without anything said, answers are stored in this process."""
        store = choose_store(MemoryReactorClock(), CacheOptions(memory_bytes=1000))
        assert isinstance(store, MemoryStore)
        self.assertEqual(store._limit, 1000)

    def test_redis(self) -> None:
        """With Redis they are stored there, and it is connected to when the store is started."""
        reactor = MemoryReactorClock()
        options = CacheOptions(redis=RedisOptions(RedisLocation(path="/run/redis.sock"), 3), prefix="p:")
        store = choose_store(reactor, options)
        assert isinstance(store, TieredStore) and isinstance(store.shared, RedisStore)
        self.assertEqual((store.near._limit, store.shared._keys.objects), (MOST_NEAR, b"p:o"))
        self.assertEqual(reactor.unixClients, [])
        store.start()
        self.assertEqual(len(reactor.unixClients), 3)
        self.successResultOf(store.stop())

    def test_no_memory(self) -> None:
        """Without memory everything is asked of Redis."""
        options = CacheOptions(redis=RedisOptions(RedisLocation(path="/run/redis.sock")), memory_bytes=0)
        self.assertIsInstance(choose_store(MemoryReactorClock(), options), RedisStore)

    def test_wrong_authorities(self) -> None:
        """What cannot work is told at the start."""
        options = CacheOptions(redis=RedisOptions(RedisLocation(tls=True, ca_file="/nowhere.pem")))
        self.assertRaises(ConfigError, choose_store, MemoryReactorClock(), options)
