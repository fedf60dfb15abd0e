"""Statistics of the cache, made of the numbers that C{/metrics} shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

KINDS = ("down", "late", "lost", "refused", "garbage")
"""What Redis could not do, see L{llmproxy.interfaces.ICacheStore.statistics}."""


class RedisStats(Struct):
    keys: Annotated[int | None, Meta(description="Stored by all who share it; null if it cannot be asked now.")]
    connections: int
    calls: int
    mean_seconds: Annotated[float, Meta(description="That a command took.")]
    errors: Annotated[dict[str, int], Meta(description="By kind.")]


class CacheStats(Struct):
    """Of all workers, since they were started."""

    backend: Annotated[str, Meta(description="memory or redis")]
    hits: int
    misses: int
    bypass: int
    stores: int
    collapsed: int
    revalidated: int
    entries: Annotated[int, Meta(description="In memory.")]
    bytes: Annotated[int, Meta(description="In memory.")]
    evictions: int
    errors: int
    hits_dropped: Annotated[int, Meta(description="Hits that were counted for no token.")]
    redis: RedisStats | None = None


class Numbers(Protocol):
    """What L{llmproxy.sinks.metrics.ProxyMetrics} is to us."""

    cache: dict[str, int]
    counters: Mapping[str, tuple[str, Any]]
    gauges: Mapping[str, tuple[str, Any]]


def stats_of(numbers: Numbers, keys: int | None) -> CacheStats:
    """@param keys: what L{llmproxy.interfaces.ICacheStore.count} gives."""
    read = {**numbers.gauges, **numbers.counters}

    def value(name: str) -> float:
        found = read.get(f"llmproxy_cache_{name}")
        return 0.0 if found is None else float(found[1]())

    shared = "llmproxy_cache_redis_calls" in read
    calls = value("redis_calls")
    redis = RedisStats(
        keys,
        int(value("redis_connections")),
        int(calls),
        round(value("redis_seconds") / calls, 6) if calls else 0.0,
        {kind: int(value(f"redis_{kind}")) for kind in KINDS},
    )
    whole = {name: int(value(name)) for name in ("collapsed", "revalidated", "entries", "bytes", "evictions")}
    return CacheStats(
        backend="redis" if shared else "memory",
        hits=numbers.cache["hit"],
        misses=numbers.cache["miss"],
        bypass=numbers.cache["bypass"],
        stores=numbers.cache["store"],
        errors=int(value("errors")),
        hits_dropped=int(value("hits_dropped")),
        redis=redis if shared else None,
        **whole,
    )
