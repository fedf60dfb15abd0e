"""What the metrics show of the parts of a process."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.gauges import REDIS, show_cache, show_process
from llmproxy.cache.stats import CacheStatsAggregator
from llmproxy.middleware.recordexchanges import RecordExchanges
from llmproxy.sinks.lag import ReactorLag
from llmproxy.sinks.metrics import ProxyMetrics

from ..cache.test_stats import FakeStatsStore
from ..middleware.caching.case import CacheTestCase
from ..middleware.fakes import Inner, a_request, a_response


def read(shown: dict[str, tuple[str, Any]]) -> dict[str, float]:
    return {name: value() for name, (_help, value) in shown.items()}


class ProcessTests(SynchronousTestCase):
    def test_shown(self) -> None:
        """What runs and how late it is are those of the moment at which somebody asks."""
        clock, metrics, inner = Clock(), ProxyMetrics(), Inner()
        account, lag = RecordExchanges(clock, lambda record: None), ReactorLag(clock, 0.5)
        show_process(metrics, account, lag)
        lag.start()
        responding = account.respond(a_request(), inner)
        clock.advance(2.5)
        lag.stop()
        shown = {"llmproxy_in_flight": 1, "llmproxy_reactor_lag_seconds": 2.0}
        self.assertEqual(read(metrics.gauges), shown)
        inner.answer(a_response())
        self.successResultOf(responding)
        self.assertEqual(read(metrics.gauges)["llmproxy_in_flight"], 0)


class CacheGaugesTests(CacheTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.metrics = ProxyMetrics()
        self.hits = CacheStatsAggregator(self.clock, FakeStatsStore())

    def test_memory(self) -> None:
        """What is stored is shown as it grows, and nothing of a Redis that is not there."""
        show_cache(self.metrics, self.cache, lambda: self.hits.dropped)
        self.assertEqual(read(self.metrics.gauges), {"llmproxy_cache_bytes": 0, "llmproxy_cache_entries": 0})
        self.fill()
        self.cache.collapsed, self.cache.revalidated, self.hits.dropped = 3, 2, 1
        self.assertEqual(read(self.metrics.gauges)["llmproxy_cache_entries"], 1)
        self.assertGreater(read(self.metrics.gauges)["llmproxy_cache_bytes"], len(b"content"))
        shown = {"evictions": 0, "collapsed": 3, "revalidated": 2, "hits_dropped": 1, "errors": 0}
        named = {f"llmproxy_cache_{name}": value for name, value in shown.items()}
        self.assertEqual(read(self.metrics.counters), named)

    def test_shared(self) -> None:
        """A store that others share tells of its connections as they are, and of its calls as a count."""
        statistics = self.store.statistics
        more = {name: float(at) for at, name in enumerate(REDIS)}
        self.patch(self.store, "statistics", lambda: statistics() | more)
        show_cache(self.metrics, self.cache, lambda: self.hits.dropped)
        self.assertEqual(read(self.metrics.gauges)["llmproxy_cache_redis_connections"], more["redis_connections"])
        counted = {name for name in self.metrics.counters if "redis" in name}
        self.assertEqual(counted, {f"llmproxy_cache_{name}" for name in REDIS if name != "redis_connections"})
        self.assertEqual(read(self.metrics.counters)["llmproxy_cache_redis_late"], more["redis_late"])
