"""Gauges of a process's parts, read when the metrics are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..middleware.caching.cache import Cache
    from ..net.handshakes import Handshakes
    from ..sinks.lag import ReactorLag
    from ..sinks.metrics import ProxyMetrics

REDIS = {
    "redis_calls": "Commands that Redis answered.",
    "redis_seconds": "How long they took, all of them together.",
    "redis_connections": "Connections to Redis that stand.",
    "redis_down": "Commands that were not sent and connections that could not be made, as Redis is away.",
    "redis_late": "Commands that were given up, as a request should not wait any longer.",
    "redis_lost": "Commands whose connection ended before the answer came.",
    "redis_refused": "Commands that Redis answered with an error.",
    "redis_garbage": "Answers of Redis that were none.",
}
"""Gauges of a shared store, beside those of each; see L{ICacheStore.statistics}."""

DECIDED_ALONE = "Requests that one process decided alone, by on_store_failure: what others count was not to be had."


class Running(Protocol):
    """What counts the exchanges that are running."""

    @property
    def in_flight(self) -> int: ...


def show_process(metrics: ProxyMetrics, running: Running, lag: ReactorLag) -> None:
    """What runs, and how late."""
    metrics.gauge("llmproxy_in_flight", "Exchanges that are running.", lambda: running.in_flight)
    metrics.gauge("llmproxy_reactor_lag_seconds", "How late the event loop was at worst since asked.", lag.take_worst)


def show_handshakes(metrics: ProxyMetrics, handshakes: Handshakes) -> None:
    """How often TLS was begun anew, and how often that cost no signature."""
    counter = metrics.counter
    counter("llmproxy_tls_client_handshakes", "Handshakes of clients over TLS.", lambda: handshakes.clients)
    text = "Handshakes that went on with a session of before."
    counter("llmproxy_tls_client_resumptions", text, lambda: handshakes.clients_resumed)
    counter("llmproxy_tls_upstream_handshakes", "Handshakes with upstream over TLS.", lambda: handshakes.upstream)
    counter("llmproxy_tls_upstream_resumptions", text, lambda: handshakes.upstream_resumed)


def show_ledger(metrics: ProxyMetrics, ledger: Ledger) -> None:
    """What waits for the database, and what was lost or found."""
    gauge, counter = metrics.gauge, metrics.counter
    gauge("llmproxy_ledger_waiting", "Ended exchanges that the database does not have.", lambda: ledger.waiting)
    gauge("llmproxy_ledger_waiting_bytes", "What waits for the database, in bytes.", lambda: ledger.waiting_bytes)
    gauge("llmproxy_ledger_oldest_seconds", "How long the first of them has been waiting.", lambda: ledger.oldest)
    gauge("llmproxy_ledger_in_memory", "1 where what is noted ends with the process.", lambda: int(ledger.in_memory))
    counter("llmproxy_ledger_lost", "Exchanges whose records could be kept nowhere.", lambda: ledger.lost)
    text = "Exchanges that were under way when their process died."
    counter("llmproxy_ledger_interrupted", text, lambda: ledger.interrupted)
    counter("llmproxy_ledger_fsync_failures", "Times that the disk took nothing.", lambda: ledger.unsynced)


def show_cache(metrics: ProxyMetrics, cache: Cache, dropped: Callable[[], int]) -> None:
    """What the cache holds and did, of whatever kind its store is."""
    gauge, counter, statistics = metrics.gauge, metrics.counter, cache.store.statistics
    gauge("llmproxy_cache_bytes", "Bytes that stored answers hold.", lambda: statistics()["bytes"])
    gauge("llmproxy_cache_entries", "Stored answers.", lambda: statistics()["entries"])
    counter("llmproxy_cache_evictions", "Stored answers that made room.", lambda: statistics()["evictions"])
    counter("llmproxy_cache_collapsed", "Requests answered with another's bytes.", lambda: cache.collapsed)
    counter("llmproxy_cache_revalidated", "Stored answers found to be good.", lambda: cache.revalidated)
    counter("llmproxy_cache_hits_dropped", "Hits that were counted for no token.", dropped)
    counter("llmproxy_cache_errors", "What the store could not do.", lambda: statistics()["errors"])
    for name, text in REDIS.items():
        if name in statistics():
            show = gauge if name == "redis_connections" else counter
            show(f"llmproxy_cache_{name}", text, lambda name=name: statistics()[name])  # type: ignore[misc]
