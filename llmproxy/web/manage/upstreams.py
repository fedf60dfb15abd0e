"""The upstreams of all APIs: how they are, and draining one by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ...errors import Conflict, NotFound
from ..operations import Call, Operation, Routes

if TYPE_CHECKING:
    from ...management.upstreams import ShownUpstream, UpstreamRules


class CircuitCounts(Struct):
    """How many keys have a circuit in which state; the same key in two workers counts twice."""

    closed: int
    open: int
    half_open: int
    models: Annotated[int, Meta(description="Circuits of single models that are not closed.")]


class UpstreamView(Struct):
    """An upstream as all workers see it. What is null is not counted: see counted."""

    api: str
    upstream: str
    url: str
    region: str
    priority: int
    weight: int
    health: Annotated[str, Meta(description="well, degraded, unwell, ejected or drained")]
    drained: Annotated[bool, Meta(description="By hand; until it is undrained, or the proxy starts again.")]
    counted: Annotated[
        bool, Meta(description="false for the only upstream of an API without retry, which nothing is chosen from.")
    ]
    requests: Annotated[int, Meta(description="Attempts; where they are not counted, those of exchanges that ended.")]
    in_flight: int | None
    failed: Annotated[int | None, Meta(description="Attempts without an answer, or with a status of 500 or above.")]
    latency: Annotated[
        float | None, Meta(description="Seconds until answers have begun lately, in the slowest worker.")
    ]
    ejections: Annotated[int | None, Meta(description="How often it was left out after failures.")]
    ejected_for: Annotated[float, Meta(description="Seconds until it is asked again.")]
    retries: int | None
    fallbacks: Annotated[int | None, Meta(description="Attempts for callers of another API.")]
    keys_aside: Annotated[int | None, Meta(description="Keys that are set aside after 401 or 429.")]
    circuits: CircuitCounts
    workers: int


class UpstreamRoutes:
    def __init__(self, rules: UpstreamRules) -> None:
        self._rules = rules

    def routes(self) -> Routes:
        return {
            "/upstreams": {
                b"GET": Operation(
                    self.list,
                    answer=list[UpstreamView],
                    needs="upstream.read",
                    action="upstream.list",
                    summary="List the upstreams of all APIs, and how they are.",
                ),
            },
            "/upstreams/{api}/{upstream}/drain": {b"POST": self._changing(True)},
            "/upstreams/{api}/{upstream}/undrain": {b"POST": self._changing(False)},
        }

    def _changing(self, drained: bool) -> Operation:
        word = "drain" if drained else "undrain"
        return Operation(
            self.drain if drained else self.undrain,
            answer=UpstreamView,
            needs="upstream.drain",
            action=f"upstream.{word}",
            summary="Let nothing more go to an upstream." if drained else "Let requests go to an upstream again.",
            errors=(NotFound, Conflict),
        )

    async def list(self, call: Call) -> list[UpstreamView]:
        return [view_of(each) for each in await self._rules.list()]

    async def drain(self, call: Call) -> UpstreamView:
        return view_of(await self._rules.set_drained(call.path["api"], call.path["upstream"], True))

    async def undrain(self, call: Call) -> UpstreamView:
        return view_of(await self._rules.set_drained(call.path["api"], call.path["upstream"], False))


def view_of(shown: ShownUpstream) -> UpstreamView:
    report = shown.report
    counted, circuits = report.counted, report.circuits
    return UpstreamView(
        api=report.api,
        upstream=report.upstream,
        url=report.url,
        region=report.region,
        priority=report.priority,
        weight=report.weight,
        health=report.health,
        drained=report.drained,
        counted=counted,
        requests=shown.requests,
        in_flight=report.in_flight if counted else None,
        failed=report.failed if counted else None,
        latency=round(report.latency, 6) if counted and report.latency else None,
        ejections=report.ejections if counted else None,
        ejected_for=round(report.ejected_for, 1),
        retries=report.retries if counted else None,
        fallbacks=report.fallbacks if counted else None,
        keys_aside=report.keys_aside if counted else None,
        circuits=CircuitCounts(circuits.closed, circuits.open, circuits.half_open, circuits.models),
        workers=report.processes,
    )
