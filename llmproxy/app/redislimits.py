"""Limits of usage that machines count together in Redis: the connections, the store, and what is shown of both."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..limits.memory import MemoryLimits
from ..limits.redis import RedisLimits
from ..redis.eviction import EvictionWatch
from ..redis.pool import open_pool
from .gauges import DECIDED_ALONE, REDIS

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from ..core.redisoptions import RedisOptions
    from ..limits.restored import NewCounts
    from ..net.poller import Poller
    from ..net.resolver import Names
    from ..sinks.metrics import ProxyMetrics

BUSY = 1.0
"""
Seconds that a request waits for Redis beyond the usual, at most, where this process is too busy to ask: with a thousand
requests in one moment it is not Redis that is late, and a limit is to hold then too.
"""

_COUNTERS = {
    "decided_alone": DECIDED_ALONE,
    "settlements_dropped": "What requests used and Redis will never know, as it was away for too long.",
    **{name: text for name, text in REDIS.items() if name != "redis_connections"},
}
_GAUGES = {
    "running": "Requests that hold something of a limit.",
    "settlements_waiting": "What requests used and Redis does not know yet.",
    "redis_connections": REDIS["redis_connections"],
}


class RedisLimiting:
    """
    @ivar store: what is used; C{start} and C{stop} are its own.
    @raise ConfigError: the authorities cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        options: RedisOptions,
        poller: Poller | None,
        names: Names | None,
        spent: Callable[[Rule], Deferred[int]],
        warn: Callable[[Crossed], object],
        counts: NewCounts = MemoryLimits,
    ) -> None:
        pool = open_pool(reactor, options, "limits", poller, names, BUSY)
        self._watch = EvictionWatch(pool, options.location.label)
        self.store = RedisLimits(reactor, pool, options.prefix.encode(), spent, warn, counts)

    def warnings(self) -> list[str]:
        """What an operator should know of it now."""
        return [f"limits: {each}" for each in self._watch.warnings()]

    def show(self, metrics: ProxyMetrics) -> None:
        """Have its figures among the metrics."""
        for show, texts in ((metrics.counter, _COUNTERS), (metrics.gauge, _GAUGES)):
            for name, text in texts.items():
                show(f"llmproxy_limits_{name}", text, partial(self._figure, name))

    def _figure(self, name: str) -> float:
        return self.store.statistics()[name]
