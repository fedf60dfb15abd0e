"""What management is given of a running proxy."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from llmproxy.app.managed import CacheControls, Counts
from llmproxy.cache.stats import CacheStatsAggregator
from llmproxy.errors import Unavailable
from llmproxy.message import Record
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.sinks.publisher import Publisher

from ..cache.test_stats import FakeStatsStore, record
from ..middleware.caching.case import CacheTestCase


class CacheControlsTests(CacheTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.others: Deferred[int] = Deferred()
        self.asked: list[Any] = []
        self.metrics = ProxyMetrics()
        self.controls = CacheControls(self.cache, lambda: succeed(self.metrics), self.purge_others)

    def purge_others(self, *what: Any) -> Deferred[int]:
        self.asked.append(what)
        return self.others

    def test_purge(self) -> None:
        """Whoever purges is told how much there was in all workers, once it is gone from all of them."""
        self.fill()
        purging = self.controls.purge(self.api.space, None, b"/v1")
        self.assertNoResult(purging)
        self.assertEqual(self.asked, [(self.api.space, None, b"/v1")])
        self.others.callback(2)
        self.assertEqual((self.successResultOf(purging), self.store.statistics()["entries"]), (3, 0))

    def test_purge_that_cannot_be_done(self) -> None:
        """If the others cannot be asked, who purges hears of it."""
        purging = self.controls.purge(None, None, b"")
        self.others.errback(Unavailable("gone"))
        self.failureResultOf(purging, Unavailable)

    def test_statistics(self) -> None:
        """They are those of all workers."""
        self.metrics.cache["hit"] = 7
        shown = self.successResultOf(self.controls.statistics())
        self.assertEqual((shown.hits, shown.backend), (7, "memory"))


class Quota:
    """@ivar flushing: what the next writing comes to."""

    def __init__(self) -> None:
        self.flushing: Deferred[None] = succeed(None)
        self.settled: list[str] = []

    def flush(self) -> Deferred[None]:
        return self.flushing

    def settle(self, token_id: str) -> Deferred[None]:
        self.settled.append(token_id)
        return succeed(None)


class CountsTests(CacheTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.store_of_hits, self.uses = FakeStatsStore(), Quota()
        hits = CacheStatsAggregator(self.clock, self.store_of_hits)
        self.publisher = Publisher(self.clock, [hits])
        self.hits: CacheStatsAggregator | None = hits
        self.counts = Counts(self, self.uses)  # type: ignore[arg-type]

    def published(self) -> Record:
        last = record("hit")
        self.publisher.publish(last)
        return last

    def test_flush(self) -> None:
        """What management shows has the hit that was answered just before."""
        self.published()
        self.successResultOf(self.counts.flush())
        self.assertEqual(self.store_of_hits.total(), {"t1": 1})

    def test_database_that_is_away(self) -> None:
        """The failure is the writing's own, and hits are written all the same."""
        self.published()
        self.uses.flushing = fail(Unavailable("no database"))
        self.failureResultOf(self.counts.flush(), Unavailable)
        self.assertEqual(self.store_of_hits.total(), {"t1": 1})

    def test_others(self) -> None:
        """What other workers have counted is waited for."""
        others: Deferred[None] = Deferred()
        counts = Counts(self, self.uses, lambda: others)  # type: ignore[arg-type]
        writing = counts.flush()
        self.assertNoResult(writing)
        others.callback(None)
        self.successResultOf(writing)

    def test_settle(self) -> None:
        """Leases of one token are written down by who holds them."""
        self.successResultOf(self.counts.settle("t1"))
        self.assertEqual(self.uses.settled, ["t1"])
