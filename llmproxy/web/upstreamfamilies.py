"""Families of metrics of upstreams. Their labels are names of the configuration, so that their number is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..core.upstreamreports import summed

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from ..core.upstreamreports import UpstreamReport

_LABELS = ("api", "upstream")

_GAUGES = {
    "in_flight": "Attempts that are running.",
    "ejected": "Processes that leave it out after failures.",
    "unwell": "Processes whose active checks have found it so.",
    "drained": "1 while an operator wants nothing to go there.",
    "latency": "Seconds until answers have begun lately, in the slowest process; 0 if that is not known.",
    "keys_aside": "Keys that are set aside.",
}

_COUNTERS = {
    "requests": ("attempts", "Attempts that were made."),
    "failed": ("failed_attempts", "Attempts without an answer, or with a status of 500 or above."),
    "ejections": ("ejections", "How often it was left out after failures."),
    "retries": ("retries", "Attempts that were made there because another one failed or took long."),
    "fallbacks": ("fallbacks", "Attempts that were made there for callers of another API."),
}


def upstream_families(reports: Iterable[UpstreamReport]) -> Iterator[Metric]:
    """
    Those of upstreams that are counted; for the only one of an API C{llmproxy_upstream_requests} of the API says it.

    @param reports: those of all processes.
    """
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    counted = [report for report in summed(reports) if report.counted]
    if not counted:
        return
    for name, text in _GAUGES.items():
        shown = f"llmproxy_upstream_{name}" + ("_seconds" if name == "latency" else "")
        gauge = GaugeMetricFamily(shown, text, labels=_LABELS)
        for each in counted:
            gauge.add_metric((each.api, each.upstream), float(getattr(each, name)))
        yield gauge
    for name, (shown, text) in _COUNTERS.items():
        counter = CounterMetricFamily(f"llmproxy_upstream_{shown}", text, labels=_LABELS)
        for each in counted:
            counter.add_metric((each.api, each.upstream), float(getattr(each, name)))
        yield counter
