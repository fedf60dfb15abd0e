"""Cache stores by the configuration that asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .memory import MemoryStore

if TYPE_CHECKING:
    from ..core.caching.settings import CacheOptions
    from ..interfaces import ICacheStore
    from ..net.poller import Poller
    from ..net.resolver import Names

MOST_NEAR = 32 * 1024 * 1024
"""Bytes that copies of what is in Redis hold at most: they are used for a second."""


def choose_store(
    reactor: Any, options: CacheOptions, poller: Poller | None = None, names: Names | None = None
) -> ICacheStore:
    """
    The memory of this process, or Redis, with a little memory in front of it unless it is to have none.

    @param poller: adopts the connections to Redis.
    @param names: the addresses of hosts; of its own if none are given.
    @raise ConfigError: the authorities for Redis cannot be read.
    """
    if options.redis is None:
        memory: ICacheStore = MemoryStore(reactor.seconds, options.memory_bytes)
        return memory
    from ..redis.pool import open_pool
    from .redis import RedisStore
    from .tiered import TieredStore

    pool = open_pool(reactor, options.redis, "cache", poller, names)
    store: ICacheStore = RedisStore(reactor, pool, options.prefix.encode())
    if options.memory_bytes:
        store = TieredStore(MemoryStore(reactor.seconds, min(options.memory_bytes, MOST_NEAR)), store)
    return store
