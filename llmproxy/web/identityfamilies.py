"""Families of C{/metrics} about identity providers and who signs in by them; none where nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_EVENTS = (
    ("sign_in", "llmproxy_identity_sign_ins", "Browsers that came back from an identity provider."),
    ("token", "llmproxy_identity_tokens", "Access tokens of an identity provider that were verified, or refused."),
    ("refresh", "llmproxy_identity_refreshes", "Devices that asked for their next token."),
)


def identity_families(
    events: Mapping[tuple[str, str, str], int],
    requests: Mapping[tuple[str, str, str], Any],
    buckets: Callable[[Any], Iterable[tuple[str, int]]],
) -> Iterator[Metric]:
    """
    @param events: counts by what happened, the provider, and what came of it.
    @param requests: histograms by the provider, what was asked, and whether there was an answer.
    """
    if not events and not requests:
        return
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    for event, name, text in _EVENTS:
        family = CounterMetricFamily(name, text, labels=("provider", "outcome"))
        for (what, provider, outcome), count in events.items():
            if what == event:
                family.add_metric((provider, outcome), count)
        yield family
    text = "Requests to an identity provider, from the name to the last byte."
    asked = HistogramMetricFamily("llmproxy_identity_request_seconds", text, labels=("provider", "endpoint", "outcome"))
    for key, histogram in requests.items():
        asked.add_metric(key, list(buckets(histogram)), histogram.total)
    yield asked
