"""Hits, counted by token."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy.cache.stats import CacheStatsAggregator, CacheStatsAggregatorConfig
from llmproxy.errors import Unavailable
from llmproxy.interfaces import ICacheStatsStore, IRecordSink
from llmproxy.message import Record


@implementer(ICacheStatsStore)
class FakeStatsStore:
    """
    @ivar batches: what was to be written.
    @ivar hold: writings wait for the test.
    """

    def __init__(self) -> None:
        self.batches: list[dict[str, int]] = []
        self.waiting: list[Deferred[None]] = []
        self.hold = False
        self.failure: Exception | None = None

    def increment_cache_hit_count_batch(self, counts: dict[str, int]) -> Deferred[None]:
        writing: Deferred[None] = Deferred()
        if self.failure is not None:
            writing.errback(self.failure)
            return writing
        self.batches.append(dict(counts))
        if self.hold:
            self.waiting.append(writing)
        else:
            writing.callback(None)
        return writing

    def total(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for batch in self.batches:
            for token_id, count in batch.items():
                total[token_id] = total.get(token_id, 0) + count
        return total


def record(cache: str, token_id: str = "t1") -> Record:
    made = Record("r", "GET", "/v1/models", "127.0.0.1", 0.0)
    made.cache, made.token_id = cache, token_id
    return made


class CacheStatsAggregatorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = FakeStatsStore()

    def started(self, **config: Any) -> CacheStatsAggregator:
        stats = CacheStatsAggregator(self.clock, self.store, CacheStatsAggregatorConfig(**config))
        stats.start()
        self.addCleanup(lambda: stats._loop.running and stats._loop.stop())
        return stats

    def test_defaults(self) -> None:
        """They are those of the reference."""
        config = CacheStatsAggregatorConfig()
        self.assertEqual((config.buffer_size, config.flush_interval, config.batch_size), (1000, 5.0, 100))

    def test_only_hits(self) -> None:
        """A miss, a bypass and a hit of nobody count for no token."""
        stats = self.started()
        verifyObject(IRecordSink, stats)
        stats.record_batch([record("hit"), record("uri-miss"), record("bypass"), record(""), record("hit", "")])
        stats.record_batch([record("hit"), record("hit", "t2")])
        self.clock.advance(5)
        self.assertEqual(self.store.batches, [{"t1": 2, "t2": 1}])

    def test_interval(self) -> None:
        """Hits are written down every five seconds; without hits nothing is written."""
        stats = self.started()
        self.clock.advance(5)
        stats.record_cache_hit("t1")
        self.clock.advance(4)
        self.assertEqual(self.store.batches, [])
        self.clock.advance(1)
        self.assertEqual(self.store.batches, [{"t1": 1}])
        self.clock.advance(5)
        self.assertEqual(len(self.store.batches), 1)

    def test_batches(self) -> None:
        """Many tokens are written down at once, so many in each statement, without waiting for the interval."""
        stats = self.started(batch_size=3)
        for token_id in "abc":
            self.assertEqual(self.store.batches, [], token_id)
            stats.record_cache_hit(token_id)
        self.assertEqual(self.store.batches, [{"a": 1, "b": 1, "c": 1}])
        self.store.hold = True
        for token_id in "defghij":
            stats.record_cache_hit(token_id)
        self.assertEqual(len(self.store.batches), 2)
        self.store.hold = False
        self.store.waiting.pop().callback(None)
        self.clock.advance(5)
        self.assertEqual([len(batch) for batch in self.store.batches], [3, 3, 3, 1])

    def test_one_busy_token(self) -> None:
        """Hits are counted, not tokens: a hundred and fifty of one token are more than a batch."""
        stats = self.started()
        for _ in range(150):
            stats.record_cache_hit("t1")
        self.assertEqual((self.store.batches, stats.pending), ([{"t1": 100}], 50))
        self.clock.advance(5)
        self.assertEqual((self.store.batches, stats.dropped), ([{"t1": 100}, {"t1": 50}], 0))

    def test_one_statement_at_a_time(self) -> None:
        """A busy token does not queue statements: what comes while one is written is in the next one."""
        stats = self.started()
        self.store.hold = True
        for _ in range(5000):
            stats.record_cache_hit("t1")
        self.assertEqual(self.store.batches, [{"t1": 100}])
        self.store.hold = False
        self.store.waiting.pop().callback(None)
        self.clock.advance(5)
        self.assertEqual(self.store.batches, [{"t1": 100}, {"t1": 4900}])

    def test_of_no_token(self) -> None:
        """An empty id is nobody's."""
        stats = self.started()
        stats.record_cache_hit("")
        self.clock.advance(5)
        self.assertEqual((self.store.batches, stats.dropped), ([], 0))

    def test_full(self) -> None:
        """When nothing can be written the memory is bounded: what is dropped is counted, what is known goes on."""
        self.store.failure = Unavailable("down")
        stats = self.started(buffer_size=2)
        for token_id in "abcab":
            stats.record_cache_hit(token_id)
        self.assertEqual(stats.dropped, 1)
        self.store.failure = None
        self.clock.advance(5)
        self.assertEqual(self.store.total(), {"a": 2, "b": 2})
        stats.record_cache_hit("c")
        self.assertEqual(stats.dropped, 1)

    def test_full_while_writing(self) -> None:
        """What is being written still takes its place."""
        stats = self.started(buffer_size=2, batch_size=2)
        self.store.hold = True
        for token_id in "abca":
            stats.record_cache_hit(token_id)
        self.assertEqual(stats.dropped, 1)
        self.store.hold = False
        self.store.waiting.pop().callback(None)
        self.clock.advance(5)
        self.assertEqual(self.store.total(), {"a": 2, "b": 1})

    def test_failing_store(self) -> None:
        """A store that fails, in whatever way, loses nothing, and the turns go on."""
        stats = self.started(batch_size=2)
        for failure in (Unavailable("down"), RuntimeError("a fault")):
            self.store.failure = failure
            for token_id in ("a", "a", "b", "c"):
                stats.record_cache_hit(token_id)
            self.clock.advance(5)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)) > 0, True)
        self.assertGreater(stats.failures, 1)
        self.store.failure = None
        self.clock.advance(5)
        self.assertEqual(self.store.total(), {"a": 4, "b": 2, "c": 2})

    def test_fails_half_way(self) -> None:
        """What was written is not written again."""
        stats = self.started(batch_size=100)
        stats._config = CacheStatsAggregatorConfig(batch_size=1)
        stats._counts = {"a": 1, "b": 2}
        self.store.hold = True
        flushing = stats.flush()
        self.store.waiting.pop().callback(None)
        self.store.waiting.pop().errback(Unavailable("down"))
        self.failureResultOf(flushing, Unavailable)
        self.store.batches.clear()
        self.store.hold = False
        self.successResultOf(stats.flush())
        self.assertEqual(self.store.batches, [{"b": 2}])

    def test_counted_while_writing(self) -> None:
        """A hit that comes while hits are written down is written down with the next."""
        stats = self.started()
        stats.record_cache_hit("a")
        self.store.hold = True
        flushing = stats.flush()
        stats.record_cache_hit("a")
        self.store.waiting.pop().callback(None)
        self.successResultOf(flushing)
        self.store.hold = False
        self.successResultOf(stats.flush())
        self.assertEqual(self.store.batches, [{"a": 1}, {"a": 1}])

    def test_stop(self) -> None:
        """At the end everything is written down, and nothing is done afterwards."""
        stats = self.started()
        stats.record_cache_hit("a")
        self.successResultOf(stats.stop())
        stats.record_cache_hit("a")
        self.successResultOf(stats.flush())
        self.assertEqual(self.store.batches, [{"a": 1}])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_with_a_failing_store(self) -> None:
        """Whoever stops is told that hits were lost."""
        stats = self.started()
        stats.record_cache_hit("a")
        self.store.failure = Unavailable("down")
        self.failureResultOf(stats.stop(), Unavailable)
