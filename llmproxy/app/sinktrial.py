"""Deliveries by hand, beside all that waits: one event that says what it is, or the dead letters of a sink."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.defer import maybeDeferred

from ..core.events.event import EXCHANGE
from ..core.events.letters import MOST, LettersKept, Redelivered
from ..core.events.notices import notice
from ..core.events.receipts import PassingFailure
from ..sinks.redelivery import Redelivery

if TYPE_CHECKING:
    from ..config.sinks import SinkConfig
    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from .sinks import SinkMaker


def trial_event(now: float, words: str) -> Event:
    """An exchange that never was, and says so."""
    return notice(
        EXCHANGE,
        now,
        request_id="llmproxy-sinks-test",
        method="POST",
        path="/v1/chat/completions",
        api="test",
        status=200,
        ended="complete",
        duration_ms=1.0,
        model="test",
        details={"test": words},
    )


async def try_sink(clock: Any, maker: SinkMaker, config: SinkConfig, words: str) -> Receipt | None:
    """
    Deliver one event by a sink of its own, and close that.

    @raise Exception: what the sink fails with; L{PassingFailure} where nothing comes back in time.
    """
    sink = maker.sink(config)
    try:
        delivering = maybeDeferred(sink.deliver, [trial_event(clock.seconds(), words)])
        receipt: Receipt | None = await delivering.addTimeout(config.timeout, clock)
        return receipt
    except DeferredTimeout:
        raise PassingFailure(f"no answer within {config.timeout:g} s") from None
    finally:
        await maybeDeferred(sink.close)


async def letters_kept(maker: SinkMaker, config: SinkConfig) -> LettersKept:
    """
    What of a sink's dead letters is on disk.

    @raise OSError: they cannot be read.
    """
    letters = maker.letters(config)
    kept: LettersKept = LettersKept() if letters is None else await maker.lane()(letters.kept)
    return kept


async def send_again(
    clock: Any, maker: SinkMaker, config: SinkConfig, limit: int = MOST, before: str = ""
) -> Redelivered:
    """
    Send dead letters by a sink of its own, and close that; see L{Redelivery.send}.

    @raise UnderWay: somebody else does.
    @raise OSError: the letters cannot be read, or not be taken out.
    """
    letters = maker.letters(config)
    if letters is None:
        return Redelivered()
    async with _closing(maker, config) as sink:
        return await Redelivery(clock, sink, letters, maker.lane(), config.batch, config.timeout).send(limit, before)


@asynccontextmanager
async def _closing(maker: SinkMaker, config: SinkConfig) -> AsyncGenerator[Any, None]:
    sink = maker.sink(config)
    try:
        yield sink
    finally:
        await maybeDeferred(sink.close)
