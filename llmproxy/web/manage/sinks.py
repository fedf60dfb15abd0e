"""The sinks of events: what waits for each, and how its receiver is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from msgspec import Meta, Struct

from ...core.audit.record import microseconds, rfc3339
from ...core.events.letters import MOST, letter_time
from ...core.events.reports import summed
from ...core.masking import mask
from ...errors import BadRequest, Conflict, NotFound, Unavailable
from ..operations import Call, Operation, Routes

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ...core.events.letters import LettersKept, Redelivered
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


class ReasonView(Struct):
    reason: str
    count: int


class LettersView(Struct):
    """The dead letters of a sink, on disk."""

    count: int
    bytes: int
    unreadable: Annotated[int, Meta(description="Lines of the files that are no letters.")]
    oldest: Annotated[str | None, Meta(description="When the first of them became one.")]
    latest: str | None
    reasons: Annotated[list[ReasonView], Meta(description="The most frequent.")]


class Again(Struct, forbid_unknown_fields=True):
    """What of the dead letters is sent again."""

    limit: Annotated[int, Meta(ge=1, le=MOST, description="At most so many, the oldest.")] = MOST
    before: Annotated[
        str,
        Meta(
            max_length=64,
            description="RFC 3339: only what became a letter before; now where it is not said. With the same one in "
            "several calls no letter is sent twice.",
        ),
    ] = ""


class RedeliveredView(Struct):
    """What came of it."""

    delivered: Annotated[int, Meta(description="Events that the receiver has now; their letters are gone.")]
    refused: Annotated[int, Meta(description="Events that it never takes, again: they stay, with the new reason.")]
    left: Annotated[int, Meta(description="Letters of before that are still to be sent.")]
    error: Annotated[str, Meta(description="Why it ended before all were sent, masked; empty if they were.")]
    answer: Annotated[str, Meta(description="What the receiver said last, masked.")]


class SinksByHand(Protocol):
    """What can be done to sinks; see L{llmproxy.app.events.Events}. C{None} is that there is no such sink."""

    async def test(self, name: str) -> tuple[bool, str] | None: ...

    async def letters(self, name: str) -> LettersKept | None: ...

    async def send_again(self, name: str, limit: int, before: str) -> Redelivered | None: ...


class SinkRoutes:
    """
    @param collect: gives the numbers of all processes.
    @param sinks: C{None} where there are none.
    """

    def __init__(self, collect: Callable[[], Deferred[Any]], sinks: SinksByHand | None = None) -> None:
        self._collect = collect
        self._sinks = sinks

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
            "/sinks/{sink}/dead-letters": {
                b"GET": Operation(
                    self.letters,
                    answer=LettersView,
                    needs="sink.read",
                    action="sink.letters",
                    summary="Show how many dead letters of a sink are on disk, and why.",
                    errors=(NotFound, Unavailable),
                ),
            },
            "/sinks/{sink}/redeliver": {
                b"POST": Operation(
                    self.redeliver,
                    body=Again,
                    may_be_empty=True,
                    answer=RedeliveredView,
                    needs="sink.redeliver",
                    action="sink.redeliver",
                    summary="Send dead letters of a sink again; what its receiver takes is one no longer.",
                    errors=(NotFound, Conflict, Unavailable),
                ),
            },
        }

    async def list(self, call: Call) -> list[SinkView]:
        numbers = await self._collect()
        return [_view(each) for each in summed(numbers.sinks())]

    async def test(self, call: Call) -> TriedView:
        tried = None if self._sinks is None else await self._sinks.test(call.path["sink"])
        if tried is None:
            raise _unknown()
        return TriedView(*tried)

    async def letters(self, call: Call) -> LettersView:
        kept = None if self._sinks is None else await self._sinks.letters(call.path["sink"])
        if kept is None:
            raise _unknown()
        reasons = [ReasonView(mask(reason), count) for reason, count in kept.reasons]
        return LettersView(kept.count, kept.size, kept.unreadable, kept.oldest or None, kept.latest or None, reasons)

    async def redeliver(self, call: Call) -> RedeliveredView:
        said: Again = call.body
        before = _time(said.before) if said.before else ""
        found = None if self._sinks is None else await self._sinks.send_again(call.path["sink"], said.limit, before)
        if found is None:
            raise _unknown()
        call.details.update(delivered=found.delivered, refused=found.refused, left=found.left)
        return RedeliveredView(found.delivered, found.refused, found.left, found.error, found.answer)


def _unknown() -> NotFound:
    return NotFound("the configuration has no sink of this name", message="sink not found")


def _time(text: str) -> str:
    """A time as letters have it."""
    try:
        return letter_time(microseconds(text) / 1_000_000)
    except ValueError as error:
        raise BadRequest(f"before: {error}", message="invalid body") from None


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
