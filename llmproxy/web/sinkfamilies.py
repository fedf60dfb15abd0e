"""Families of metrics of sinks of events. Their label is a name of the configuration: their number is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..core.events.reports import summed

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from ..core.events.reports import SinkReport

_GAUGES = {
    "waiting": "Events in memory that wait for their receiver.",
    "spooled": "Events on disk that wait for their receiver.",
    "spooled_bytes": "Bytes of those.",
    "failing": "Processes whose last attempt to deliver failed.",
}

_COUNTERS = {
    "delivered": "Events that the receiver has taken.",
    "lost": "Events that neither memory nor disk had room for, or that could not be kept.",
    "dead": "Events that the receiver never takes, in the dead letters.",
    "failures": "Attempts to deliver that failed.",
    "batches": "Attempts to deliver that were taken.",
}


def sink_families(reports: Iterable[SinkReport]) -> Iterator[Metric]:
    """@param reports: those of all processes."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    sinks = summed(reports)
    if not sinks:
        return
    for name, text in _GAUGES.items():
        gauge = GaugeMetricFamily(f"llmproxy_sink_{name}", text, labels=("sink",))
        for each in sinks:
            gauge.add_metric((each.name,), float(getattr(each, name)))
        yield gauge
    for name, text in _COUNTERS.items():
        counter = CounterMetricFamily(f"llmproxy_sink_{name}", text, labels=("sink",))
        for each in sinks:
            counter.add_metric((each.name,), float(getattr(each, name)))
        yield counter
