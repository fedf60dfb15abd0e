"""The parts of a running proxy that management works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, FirstError, gatherResults, inlineCallbacks, succeed
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..middleware.caching.cache import Cache
    from ..store.leases import LeasedQuota
    from .metering import Metering

Purge = Callable[[str | None, str | None, bytes], "Deferred[int]"]
"""See L{llmproxy.interfaces.ICacheStore.purge}."""


class CacheControls:
    """
    The cache as management has it: of all workers.

    @param collect_metrics: gives the numbers of all of them.
    @param purge_others: removes what the others have stored.
    """

    def __init__(self, cache: Cache, collect_metrics: Callable[[], Deferred[Any]], purge_others: Purge) -> None:
        self._cache = cache
        self._collect_metrics = collect_metrics
        self._purge_others = purge_others

    @inlineCallbacks
    def purge(self, api: str | None, tenant: str | None, start: bytes) -> Generator[Deferred[Any], Any, int]:
        count: int = yield self._cache.purge(api, tenant, start)
        others: int = yield self._purge_others(api, tenant, start)
        return count + others

    @inlineCallbacks
    def statistics(self) -> Generator[Deferred[Any], Any, Any]:
        from ..web.manage.cachestats import stats_of

        numbers = yield self._collect_metrics()
        keys = yield self._cache.store.count()
        return stats_of(numbers, keys)


class Counts:
    """
    What is counted in memory and shown by management: uses and hits.

    @param metering: counts the hits.
    @param flush_others: has the other workers of the proxy write down what they have counted.
    """

    def __init__(
        self,
        metering: Metering,
        quota: LeasedQuota,
        flush_others: Callable[[], Deferred[Any]] = lambda: succeed(None),
    ) -> None:
        self._metering = metering
        self._quota = quota
        self._flush_others = flush_others

    def flush(self) -> Deferred[Any]:
        """
        Write down what was counted until now, in all workers; fails as the first one does that cannot be written here.
        """
        metering = self._metering
        metering.publisher.flush()
        hits = [] if metering.hits is None else [metering.hits.flush()]
        flushing: Deferred[Any] = gatherResults([self._quota.flush(), *hits, self._flush_others()], consumeErrors=True)
        return flushing.addErrback(_first)

    def settle(self, token_id: str) -> Deferred[None]:
        return self._quota.settle(token_id)


def _first(reason: Any) -> Failure:
    reason.trap(FirstError)
    failure: Failure = reason.value.subFailure
    return failure
