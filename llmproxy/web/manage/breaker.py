"""The state of the circuit breakers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from ...management.circuits import listed
from ..operations import Call, Operation, Routes

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ...core.circuits import CircuitState


class CircuitView(Struct):
    """A circuit that is not closed, or has counted a failure since the last success."""

    api: str
    project_id: str
    model: Annotated[str | None, Meta(description="null for the circuit of all connections.")]
    state: Annotated[str, Meta(description="closed, open or half open")]
    failures: Annotated[int, Meta(description="In a row.")]
    reason: Annotated[str, Meta(description="The last failure that was counted.")]
    retry_after: Annotated[float, Meta(description="Seconds until a request may try again.")]
    process: Annotated[int, Meta(description="Each worker has circuits of its own.")]


class BreakerRoutes:
    """
    @param collect: gives the numbers of all workers, see L{llmproxy.web.metrics.Counts}.
    """

    def __init__(self, collect: Callable[[], Deferred[Any]]) -> None:
        self._collect = collect

    def routes(self) -> Routes:
        return {
            "/breaker": {
                b"GET": Operation(
                    self.list,
                    answer=list[CircuitView],
                    needs="breaker.read",
                    action="breaker.list",
                    summary="List the circuits that are open or have counted failures.",
                ),
            },
        }

    async def list(self, call: Call) -> list[CircuitView]:
        numbers = await self._collect()
        return [_view(each) for each in listed(numbers.circuits())]


def _view(state: CircuitState) -> CircuitView:
    return CircuitView(
        state.api,
        state.project,
        state.model or None,
        state.state,
        state.failures,
        state.reason,
        round(state.retry_after, 1),
        state.process,
    )
