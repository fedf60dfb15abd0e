"""The numbers of the cache."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.cachestats import KINDS, stats_of


class StatsTests(SynchronousTestCase):
    def test_redis(self) -> None:
        """With Redis: how long it takes, what it could not do, and how much all proxies stored there."""
        metrics = ProxyMetrics()
        values = {"redis_calls": 4, "redis_seconds": 0.002, "redis_late": 2, "hits_dropped": 1}
        for name, value in values.items():
            metrics.counter(f"llmproxy_cache_{name}", "", lambda value=value: value)  # type: ignore[misc]
        metrics.gauge("llmproxy_cache_redis_connections", "", lambda: 8)
        stats = stats_of(metrics, 17)
        assert stats.redis is not None
        self.assertEqual((stats.backend, stats.hits_dropped), ("redis", 1))
        self.assertEqual((stats.redis.keys, stats.redis.connections, stats.redis.mean_seconds), (17, 8, 0.0005))
        self.assertEqual(stats.redis.errors, dict.fromkeys(KINDS, 0) | {"late": 2})

    def test_nothing_yet(self) -> None:
        """Before the first command no mean is made up."""
        metrics = ProxyMetrics()
        metrics.counter("llmproxy_cache_redis_calls", "", lambda: 0)
        stats = stats_of(metrics, None)
        assert stats.redis is not None
        self.assertEqual((stats.redis.keys, stats.redis.mean_seconds), (None, 0.0))
