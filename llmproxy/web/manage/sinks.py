"""The sinks of events: what waits for each, and how its receiver is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from ...core.audit.record import rfc3339
from ...core.events.reports import summed
from ...errors import NotFound
from ..operations import Call, Operation, Routes

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ...core.events.reports import SinkReport


class SinkView(Struct):
    """A sink as all workers see it."""

    name: str
    type: str
    state: Annotated[str, Meta(description="ok; failing in every worker, or degraded: failing in some")]
    waiting: Annotated[int, Meta(description="Events in memory.")]
    spooled: Annotated[int, Meta(description="Events on disk.")]
    spooled_bytes: int
    delivered: Annotated[int, Meta(description="Events that its receiver has.")]
    batches: int
    dead: Annotated[int, Meta(description="Events in the dead letters: the receiver never takes them.")]
    lost: Annotated[int, Meta(description="Events that neither memory nor disk had room for.")]
    failures: Annotated[int, Meta(description="Attempts that failed.")]
    error: Annotated[str, Meta(description="What the last attempt failed with, masked; empty if it did not.")]
    answer: Annotated[str, Meta(description="What the receiver said last, masked.")]
    delivered_at: Annotated[str | None, Meta(description="When it took something last.")]
    workers: int


class TriedView(Struct):
    """What came of one event that was sent to see whether it arrives."""

    taken: bool
    answer: Annotated[str, Meta(description="What came back, masked: status and text, or why it was not taken.")]


Try = Callable[[str], Coroutine[Any, Any, tuple[bool, str] | None]]
"""See L{llmproxy.app.events.Events.test}."""


async def _no_sinks(name: str) -> None:
    return None


class SinkRoutes:
    """
    @param collect: gives the numbers of all processes.
    @param test: sends one event to a sink.
    """

    def __init__(self, collect: Callable[[], Deferred[Any]], test: Try = _no_sinks) -> None:
        self._collect = collect
        self._test = test

    def routes(self) -> Routes:
        return {
            "/sinks": {
                b"GET": Operation(
                    self.list,
                    answer=list[SinkView],
                    needs="sink.read",
                    action="sink.list",
                    summary="List the sinks of events, and how they are.",
                ),
            },
            "/sinks/{sink}/test": {
                b"POST": Operation(
                    self.test,
                    answer=TriedView,
                    needs="sink.test",
                    action="sink.test",
                    summary="Send one event to a sink, and say what came back.",
                    errors=(NotFound,),
                ),
            },
        }

    async def list(self, call: Call) -> list[SinkView]:
        numbers = await self._collect()
        return [_view(each) for each in summed(numbers.sinks())]

    async def test(self, call: Call) -> TriedView:
        tried = await self._test(call.path["sink"])
        if tried is None:
            raise NotFound("the configuration has no sink of this name", message="sink not found")
        return TriedView(*tried)


def _view(report: SinkReport) -> SinkView:
    at = report.delivered_at
    return SinkView(
        name=report.name,
        type=report.type,
        state=report.state,
        waiting=report.waiting,
        spooled=report.spooled,
        spooled_bytes=report.spooled_bytes,
        delivered=report.delivered,
        batches=report.batches,
        dead=report.dead,
        lost=report.lost,
        failures=report.failures,
        error=report.error,
        answer=report.answer,
        delivered_at=rfc3339(round(at * 1_000_000)) if at else None,
        workers=report.processes,
    )
