"""A trial of a sink: one event that says what it is goes to its receiver, beside all that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.defer import maybeDeferred

from ..core.events.event import EXCHANGE
from ..core.events.notices import notice
from ..core.events.receipts import PassingFailure

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
