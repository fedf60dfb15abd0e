"""The resource of C{/metrics}: Prometheus text, or the reference's JSON where C{Accept} names it."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from .. import __version__
from ..errors import Unauthorized
from .identityfamilies import identity_families
from .jsonresource import send_error
from .readonly import ReadOnlyResource
from .sinkfamilies import sink_families
from .upstreamfamilies import upstream_families

if TYPE_CHECKING:
    from decimal import Decimal

    from prometheus_client.core import Metric
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure
    from twisted.web.server import Request

PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


class Counts(Protocol):
    """The part of L{llmproxy.sinks.metrics.ProxyMetrics} that is read here."""

    started_at: float
    series: dict[Any, Any]
    endings: dict[Any, int]
    errors: dict[Any, int]
    causes: dict[Any, int]
    attempts: dict[str, int]
    openings: dict[str, int]
    circuits: Callable[[], list[Any]]
    upstreams: Callable[[], list[Any]]
    sinks: Callable[[], list[Any]]
    cache: dict[str, int]
    refusals: dict[str, int]
    warnings: dict[Any, int]
    tokens: dict[Any, int]
    costs: dict[Any, Decimal]
    first_tokens: dict[str, Any]
    between_tokens: dict[str, Any]
    identity: dict[Any, int]
    identity_requests: dict[Any, Any]
    counters: dict[str, tuple[str, Callable[[], float]]]
    gauges: dict[str, tuple[str, Callable[[], float]]]
    request_count: int
    error_count: int


Buckets = Callable[[Any], Iterable[tuple[str, int]]]
"""A histogram as C{(upper bound, cumulative count)}."""


class MetricsUnauthorized(Unauthorized):
    code, message = "unauthorized", "not authenticated"
    challenge = b'Bearer realm="llmproxy metrics"'


class MetricsResource(ReadOnlyResource):
    """
    @param collect: gives the numbers of this process, or those of all workers added up.
    @param token: what has to be shown as a bearer (RFC 6750 section 2.1); C{""} for nothing.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        collect: Callable[[], Deferred[Counts]],
        buckets: Buckets,
        *,
        token: str = "",
        always_text: bool = False,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._collect = collect
        self._buckets = buckets
        self._digest = sha256(token.encode()).digest() if token else None
        self._always_text = always_text

    def getChild(self, path: bytes, request: Request) -> Resource:
        return self if not path else super().getChild(path, request)

    def render_GET(self, request: Request) -> int:
        if not self._may_read(request):
            send_error(request, MetricsUnauthorized("show METRICS_TOKEN: Authorization: Bearer TOKEN"))
            return NOT_DONE_YET
        wants_json = not self._always_text and prefers_json(request.getHeader(b"accept"))
        collecting = self._collect()
        request.notifyFinish().addErrback(lambda _: collecting.cancel())
        collecting.addCallback(self._respond, request, wants_json)
        collecting.addErrback(self._gone)
        return NOT_DONE_YET

    def _may_read(self, request: Request) -> bool:
        """Hashes are compared, in constant time: neither the token nor its length shows in how long it takes."""
        if self._digest is None:
            return True
        scheme, _, shown = (request.getHeader(b"authorization") or b"").strip().partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(sha256(shown.strip()).digest(), self._digest)

    def _gone(self, reason: Failure) -> None:
        """The client has left."""
        reason.trap(CancelledError, ConnectionLost, ConnectionDone)

    def _respond(self, counts: Counts, request: Request, wants_json: bool) -> None:
        uptime = max(0.0, self._clock() - counts.started_at)
        if wants_json:
            request.setHeader(b"Content-Type", b"application/json")
            body = msgspec.json.encode(as_json(counts, uptime))
        else:
            request.setHeader(b"Content-Type", PROMETHEUS)
            body = as_text(counts, uptime, self._buckets)
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Length", b"%d" % len(body))
        if request.method != b"HEAD":
            request.write(body)
        request.finish()


def prefers_json(accept: bytes | None) -> bool:
    """Whether C{application/json} is named and plain text is not: Prometheus itself names text."""
    return accept is not None and b"application/json" in accept.lower() and b"text/plain" not in accept.lower()


def as_json(counts: Counts, uptime: float) -> dict[str, float]:
    """The reference's seven numbers."""
    return {
        "uptime_seconds": round(uptime, 3),
        "request_count": counts.request_count,
        "error_count": counts.error_count,
        "cache_hits": counts.cache["hit"],
        "cache_misses": counts.cache["miss"],
        "cache_bypass": counts.cache["bypass"],
        "cache_stores": counts.cache["store"],
    }


def as_text(counts: Counts, uptime: float, buckets: Buckets) -> bytes:
    """Prometheus' text format 0.0.4, the reference's names first."""
    # Slow to import, and only needed once metrics are scraped.
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
    from prometheus_client.exposition import generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(_metrics(counts, uptime, buckets))))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return generate_latest(registry)


class _Collected:
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics

    def describe(self) -> list[Metric]:
        return []


def _metrics(counts: Counts, uptime: float, buckets: Buckets) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield GaugeMetricFamily("llm_proxy_uptime_seconds", "Seconds since the start.", value=uptime)
    yield CounterMetricFamily("llm_proxy_requests", "Exchanges that have ended.", value=counts.request_count)
    yield CounterMetricFamily("llm_proxy_errors", "Exchanges that ended with an error.", value=counts.error_count)
    for outcome, name in (("hit", "hits"), ("miss", "misses"), ("bypass", "bypass"), ("store", "stores")):
        yield CounterMetricFamily(f"llm_proxy_cache_{name}", f"Cache: {name}.", value=counts.cache[outcome])
    info = GaugeMetricFamily("llmproxy_build_info", "The running version.", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
    yield from _by_request(counts, buckets)
    yield _counted("llmproxy_endings", "Exchanges that did not end well, by how.", ("api", "ended"), counts.endings)
    yield _counted("llmproxy_error_answers", "Answers of the proxy's own, by code.", ("api", "code"), counts.errors)
    yield _counted(
        "llmproxy_upstream_failures", "Upstream gave no whole answer, by cause.", ("api", "cause"), counts.causes
    )
    attempts = {(api,): n for api, n in counts.attempts.items()}
    yield _counted("llmproxy_upstream_requests", "Requests that were sent to upstream.", ("api",), attempts)
    yield from _of_circuits(counts)
    yield from upstream_families(counts.upstreams())
    yield from sink_families(counts.sinks())
    yield _counted(
        "llmproxy_tokens",
        "What answers said was used; cached and reasoning tokens are parts of input and output.",
        ("api", "model", "type"),
        counts.tokens,
    )
    yield _counted(
        "llmproxy_cost_usd", "What answers cost, where their price is known; USD.", ("api", "model"), counts.costs
    )
    yield _by_api(
        "llmproxy_time_to_first_token_seconds",
        "Until the first content of a stream of events.",
        counts.first_tokens,
        buckets,
    )
    yield _by_api(
        "llmproxy_time_between_tokens_seconds",
        "From the first content of a stream to its end, for each token behind the first.",
        counts.between_tokens,
        buckets,
    )
    refusals = {(code,): n for code, n in counts.refusals.items()}
    yield _counted("llmproxy_refused", "Refused before they became an exchange, by reason.", ("reason",), refusals)
    text = "Budgets of which a share has been used, by per cent or soft_budget, and what they are counted per."
    yield _counted("llmproxy_budget_warnings", text, ("share", "per"), counts.warnings)
    yield from identity_families(counts.identity, counts.identity_requests, buckets)
    for name, (help_text, value) in counts.gauges.items():
        yield GaugeMetricFamily(name, help_text, value=value())
    for name, (help_text, value) in counts.counters.items():
        yield CounterMetricFamily(name, help_text, value=value())


def _of_circuits(counts: Counts) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    openings = {(api,): n for api, n in counts.openings.items()}
    yield _counted("llmproxy_circuit_openings", "How often a circuit breaker has opened.", ("api",), openings)
    circuits = GaugeMetricFamily("llmproxy_circuits", "Circuits that are not closed now.", labels=("api", "state"))
    found = Counter((each.api, each.state) for each in counts.circuits())
    for api in counts.openings:
        for state in ("open", "half open"):
            circuits.add_metric((api, state.replace(" ", "_")), found[api, state])
    yield circuits


def _by_request(counts: Counts, buckets: Buckets) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    labels = ("api", "endpoint", "method", "status_class")
    requests = CounterMetricFamily("llmproxy_requests", "Exchanges that have ended.", labels=labels)
    received = CounterMetricFamily("llmproxy_request_body_bytes", "Content received from clients.", labels=labels)
    sent = CounterMetricFamily("llmproxy_response_body_bytes", "Content sent to clients.", labels=labels)
    duration = HistogramMetricFamily("llmproxy_request_duration_seconds", "The whole exchange.", labels=labels)
    first = HistogramMetricFamily("llmproxy_time_to_first_byte_seconds", "Until the response head.", labels=labels)
    for key, series in counts.series.items():
        requests.add_metric(key, series.requests)
        received.add_metric(key, series.bytes_in)
        sent.add_metric(key, series.bytes_out)
        duration.add_metric(key, list(buckets(series.duration)), series.duration.total)
        first.add_metric(key, list(buckets(series.first_byte)), series.first_byte.total)
    yield from (requests, received, sent, duration, first)


def _by_api(name: str, help_text: str, histograms: dict[str, Any], buckets: Buckets) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, help_text, labels=("api",))
    for api, histogram in histograms.items():
        family.add_metric((api,), list(buckets(histogram)), histogram.total)
    return family


def _counted(name: str, help_text: str, labels: tuple[str, ...], counts: Mapping[Any, int | Decimal]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, help_text, labels=labels)
    for key, value in counts.items():
        family.add_metric(key, float(value))
    return family
