"""Hits counted by token in memory, and written down in batches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredLock, inlineCallbacks
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import ProxyError, Unavailable
from ..interfaces import IRecordSink
from ..net.clockedcall import ClockedCall

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..interfaces import ICacheStatsStore
    from ..message import Record


@frozen
class CacheStatsAggregatorConfig:
    """
    The defaults are the reference's.

    @ivar buffer_size: how many tokens can have hits that are not written down yet. A further hit of one of them is
        always counted; one of yet another token is dropped, and that is counted.
    @ivar flush_interval: seconds between two writings.
    @ivar batch_size: tokens in one statement, and hits, of whichever tokens, that are written down without waiting for
        the interval.
    """

    buffer_size: int = 1000
    flush_interval: float = 5.0
    batch_size: int = 100


@implementer(IRecordSink)
class CacheStatsAggregator:
    """
    What is counted is kept until it is written down, however often that fails. After L{stop} nothing is taken any more.

    @param clock: of the interval.
    @ivar dropped: hits that were not counted, as too many tokens had hits that could not be written down yet.
    @ivar failures: writings that failed.
    @ivar pending: hits that are not written down yet, without those that are being written.
    """

    _log = Logger()

    def __init__(self, clock: Any, store: ICacheStatsStore, config: CacheStatsAggregatorConfig | None = None) -> None:
        self._store = store
        self._config = config or CacheStatsAggregatorConfig()
        self._counts: dict[str, int] = {}
        self._being_written: dict[str, int] = {}
        self._writing = DeferredLock()
        self._early: Deferred[None] | None = None
        self._stopped = False
        self._loop = ClockedCall(clock, self._tick)
        self.pending = 0
        self.dropped = 0
        self.failures = 0

    @property
    def is_running(self) -> bool:
        """Whether it writes down at intervals."""
        return self._loop.running

    def start(self) -> None:
        """Write down at intervals from now on."""
        self._stopped = False
        self._loop.start(self._config.flush_interval, now=False)

    def stop(self) -> Deferred[None]:
        """Take nothing more and write down what is left. Fails if that cannot be written."""
        self._stopped = True
        if self._loop.running:
            self._loop.stop()
        return self.flush()

    def record_batch(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.cache == "hit":
                self.record_cache_hit(record.token_id)

    def record_cache_hit(self, token_id: str) -> None:
        """Count one hit; never waits. One of no token, or after L{stop}, is not counted."""
        if not token_id or self._stopped:
            return
        counts, others = self._counts, self._being_written
        known = token_id in counts or token_id in others
        if not known and len(counts) + len(others) >= self._config.buffer_size:
            self.dropped += 1
            return
        counts[token_id] = counts.get(token_id, 0) + 1
        self.pending += 1
        if self.pending >= self._config.batch_size and self._early is None and self._loop.running:
            self._early = self._quietly()

    def flush(self) -> Deferred[None]:
        """
        Write down what was counted until now.

        Fails with L{Unavailable}, and keeps the counts for the next time.
        """
        return self._writing.run(self._flush)

    @inlineCallbacks
    def _flush(self) -> Generator[Deferred[Any], Any, None]:
        left, self._counts = self._counts, {}
        self._being_written, self.pending = left, 0
        try:
            while left:
                batch = dict(islice(left.items(), self._config.batch_size))
                yield self._store.increment_cache_hit_count_batch(batch)
                for token_id in batch:
                    del left[token_id]
        except Exception as error:
            self._keep(left, error)
            raise (error if isinstance(error, ProxyError) else Unavailable("hits cannot be written down")) from error
        finally:
            self._being_written = {}

    def _keep(self, left: dict[str, int], error: Exception) -> None:
        self.failures += 1
        for token_id, count in left.items():
            self._counts[token_id] = self._counts.get(token_id, 0) + count
        self._log.warn("the cache hits of {count} tokens could not be written down; they are kept", count=len(left))
        if not isinstance(error, ProxyError):
            self._log.failure("a fault of the store of hits")

    def _tick(self) -> Deferred[None]:
        # A LoopingCall ends at its first failure. What went wrong has been logged.
        return self.flush().addErrback(lambda _: None)

    def _quietly(self) -> Deferred[None] | None:
        """Before the interval has passed."""
        flushing = self._tick()
        if flushing.called:
            return None

        def over(_: object) -> None:
            self._early = None

        return flushing.addCallback(over)
