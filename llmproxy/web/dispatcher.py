"""C{/health}, C{/live}, C{/ready} and C{/metrics} of a dispatcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.web.resource import Resource

from .. import __version__
from ..core.events.dispatching import DispatchReport, not_ready
from .health import Live
from .metrics import PROMETHEUS
from .readonly import ReadOnlyResource

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from twisted.web.server import Request

Reports = Callable[[], Sequence[DispatchReport]]

_GAUGES = {
    "held": "Events that were read, and that their receiver has not.",
    "pending": "Events in the stream that were not acknowledged, those that were not read too.",
    "length": "Entries of the stream.",
}

_COUNTERS = {
    "received": "Events that were read from the stream.",
    "delivered": "Events that their receiver has taken.",
    "dead": "Events that became dead letters.",
    "passed_over": "Events that the sink does not want.",
    "claimed": "Events that were taken over from dead consumers.",
    "gone": "Events that were trimmed from the stream before they could be delivered.",
    "failures": "Attempts to deliver that failed.",
    "batches": "Attempts to deliver that were taken.",
}


def dispatcher_resource(reports: Reports, health: Callable[[], dict[str, Any]]) -> Resource:
    """@param health: see L{llmproxy.core.events.dispatching.health}."""
    root = _Root()
    root.putChild(b"health", _Health(health))
    root.putChild(b"healthz", _Health(health))
    root.putChild(b"live", Live())
    root.putChild(b"livez", Live())
    root.putChild(b"ready", _Ready(reports))
    root.putChild(b"readyz", _Ready(reports))
    root.putChild(b"metrics", _Metrics(reports))
    return root


class _Root(ReadOnlyResource):
    isLeaf = False

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self if not path else super().getChild(path, request)

    def render_GET(self, request: Request) -> bytes:
        return answer(
            request, 200, b"text/plain; charset=utf-8", b"llmproxy dispatcher: /health /ready /live /metrics\n"
        )


class _Health(ReadOnlyResource):
    """200 where it is healthy, else 503; the numbers either way."""

    def __init__(self, health: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._health = health

    def render_GET(self, request: Request) -> bytes:
        found = self._health()
        body = msgspec.json.encode({**found, "version": __version__})
        return answer(request, 200 if found["healthy"] else 503, b"application/json", body)


class _Ready(ReadOnlyResource):
    """200 where events flow from the stream to every receiver, else 503 and why they do not."""

    def __init__(self, reports: Reports) -> None:
        super().__init__()
        self._reports = reports

    def render_GET(self, request: Request) -> bytes:
        problems = not_ready(self._reports())
        if not problems:
            return answer(request, 200, b"text/plain; charset=utf-8", b"ready\n")
        request.setHeader(b"Retry-After", b"5")
        body = msgspec.json.encode({"status": "not ready", "problems": problems})
        return answer(request, 503, b"application/json", body)


class _Metrics(ReadOnlyResource):
    def __init__(self, reports: Reports) -> None:
        super().__init__()
        self._reports = reports

    def render_GET(self, request: Request) -> bytes:
        return answer(request, 200, PROMETHEUS, as_text(self._reports()))


def answer(request: Request, status: int, content_type: bytes, body: bytes) -> bytes:
    """Set what belongs to an answer that no cache keeps; the content, but for HEAD."""
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", content_type)
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


def as_text(reports: Sequence[DispatchReport]) -> bytes:
    """Prometheus' text format 0.0.4."""
    # Slow to import, and only needed once metrics are scraped.
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
    from prometheus_client.exposition import generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(_families(reports))))
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


def _families(reports: Sequence[DispatchReport]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, text in _GAUGES.items():
        gauge = GaugeMetricFamily(f"llmproxy_dispatcher_{name}", text, labels=("sink",))
        for each in reports:
            if getattr(each, name) is not None:
                gauge.add_metric((each.name,), getattr(each, name))
        yield gauge
    for name, text in _COUNTERS.items():
        counter = CounterMetricFamily(f"llmproxy_dispatcher_{name}", text, labels=("sink",))
        for each in reports:
            counter.add_metric((each.name,), getattr(each, name))
        yield counter
    failing = GaugeMetricFamily(
        "llmproxy_dispatcher_failing",
        "1 where the last attempt to read, or to deliver, failed.",
        labels=("sink", "side"),
    )
    for each in reports:
        failing.add_metric((each.name, "read"), bool(each.source_error))
        failing.add_metric((each.name, "deliver"), bool(each.sink_error))
    yield failing
    info = GaugeMetricFamily("llmproxy_build_info", "The running version.", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
