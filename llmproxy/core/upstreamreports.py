"""Reports of upstreams: what one process knows of each, and of several processes one of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from attrs import evolve, field, frozen

from ..message import Api
from .circuits import CircuitTally
from .upstreamstate import UpstreamStates

Health = Literal["well", "degraded", "unwell", "ejected", "drained"]
"""
In a word: an operator has C{drained} it; it is C{ejected} after failures, or C{unwell} by active checks, in every
process; it is C{degraded} where that is so in some of them, or a circuit is not closed; otherwise it is C{well}.
"""


@frozen
class UpstreamReport:
    """
    An upstream as one process sees it, or several together. Times are seconds.

    @ivar counted: each attempt is counted. The only upstream of an API without C{retry} is asked without being counted;
        what is C{0} then is not known.
    @ivar processes: that have said this.
    @ivar ejected: in how many of them it is left out after failures.
    @ivar unwell: in how many of them active checks have found it so.
    @ivar ejected_for: until it is asked again in the last of them.
    @ivar failed: attempts that were no good.
    @ivar latency: until an answer has begun lately, in the slowest process; 0 if that is not known.
    @ivar keys_aside: keys that are set aside; the same one in two processes counts twice.
    """

    api: str
    upstream: str
    url: str = ""
    region: str = ""
    priority: int = 1
    weight: int = 1
    counted: bool = True
    processes: int = 1
    drained: bool = False
    ejected: int = 0
    ejected_for: float = 0.0
    in_flight: int = 0
    requests: int = 0
    failed: int = 0
    ejections: int = 0
    retries: int = 0
    fallbacks: int = 0
    latency: float = 0.0
    keys_aside: int = 0
    unwell: int = 0
    circuits: CircuitTally = field(factory=CircuitTally)

    @property
    def health(self) -> Health:
        if self.drained:
            return "drained"
        if self.ejected >= self.processes:
            return "ejected"
        if self.unwell >= self.processes:
            return "unwell"
        circuits = self.circuits
        return (
            "degraded"
            if self.ejected or self.unwell or circuits.open or circuits.half_open or circuits.models
            else "well"
        )

    def with_other(self, other: UpstreamReport) -> UpstreamReport:
        """What both say; where they differ in what is configured, this one."""
        circuits = evolve(self.circuits)
        circuits.add(other.circuits)
        return evolve(
            self,
            counted=self.counted or other.counted,
            drained=self.drained or other.drained,
            ejected_for=max(self.ejected_for, other.ejected_for),
            latency=max(self.latency, other.latency),
            circuits=circuits,
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
        )


_SUMS = (
    "processes",
    "ejected",
    "in_flight",
    "requests",
    "failed",
    "ejections",
    "retries",
    "fallbacks",
    "keys_aside",
    "unwell",
)


def is_counted(api: Api) -> bool:
    """Whether the attempts at its upstreams go by their states: see L{llmproxy.middleware.attempts.Attempts}."""
    return api.is_balanced or api.settings.retry is not None


def reports_of(
    apis: Iterable[Api], states: UpstreamStates, tallies: Mapping[tuple[str, str], CircuitTally], now: float
) -> Iterator[UpstreamReport]:
    """
    What this process knows, in the order of the configuration.

    @param tallies: of circuits, by API and URL.
    """
    for api in apis:
        for upstream in api.upstreams:
            state = states.of(upstream)
            left = max(0.0, state.ejected_until - now)
            yield UpstreamReport(
                api.name,
                upstream.name or api.name,
                upstream.url,
                upstream.region,
                upstream.priority,
                upstream.weight,
                is_counted(api),
                1,
                state.drained,
                int(left > 0),
                left,
                state.in_flight,
                state.requests,
                state.failed_in_all,
                state.ejections,
                state.retries,
                state.fallbacks,
                state.latency(now),
                state.keys.count_aside(now),
                int(state.unwell),
                tallies.get((api.name, upstream.url), CircuitTally()),
            )


def summed(reports: Iterable[UpstreamReport]) -> list[UpstreamReport]:
    """One report for each upstream, in the order in which they came first."""
    found: dict[tuple[str, str], UpstreamReport] = {}
    for report in reports:
        key = (report.api, report.upstream)
        known = found.get(key)
        found[key] = report if known is None else known.with_other(report)
    return list(found.values())
