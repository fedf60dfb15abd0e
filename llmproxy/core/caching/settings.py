"""Settings of the cache that hold for all APIs; those of one are L{llmproxy.apisettings.CacheSettings}."""

from __future__ import annotations

from attrs import frozen

from ...apisettings import CacheSettings
from ..redisoptions import RedisOptions

DEFAULT = CacheSettings()

DEFAULT_PREFIX = "llmproxy:cache:"


@frozen
class CacheOptions:
    """
    What all APIs have in common.

    @ivar enabled: C{HTTP_CACHE_ENABLED}; unset is on, as in the reference.
    @ivar redis: the shared store, C{None} for the memory of this process. A lookup is given up much earlier than its
        C{timeout}.
    @ivar prefix: what all keys in Redis begin with.
    @ivar memory_bytes: bound of the memory store, and of the memory in front of Redis.
    @ivar stats_buffer: tokens whose hits can wait to be written down.
    @ivar defaults: what APIs that say nothing of their own have.
    """

    enabled: bool = True
    redis: RedisOptions | None = None
    prefix: str = DEFAULT_PREFIX
    memory_bytes: int = 256 * 1024 * 1024
    stats_buffer: int = 1000
    defaults: CacheSettings = DEFAULT
