"""C{/manage/live}: what happens now, as server-sent events."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ...core.roles import may
from ...errors import BadRequest, Unavailable
from ..livefeed import MOST, LiveFeed
from ..operations import Call, Operation, Routes
from ..streamed import Streamed
from .auth import ManagementAuth

KIND = "text/event-stream"


class NumbersView(Struct):
    """
    What runs, and what there was since the start, of all workers.

    @ivar latency_p50: seconds until an answer was whole, of half of all; C{_p95} of 95 in 100. null: there was none.
    @ivar first_token_p50: seconds until the first content of a stream, likewise.
    """

    in_flight: int
    requests: int
    errors: int
    cache_hits: int
    tokens: int
    cost: Annotated[str, Meta(description="USD.")]
    latency_p50: float | None
    latency_p95: float | None
    first_token_p50: float | None
    first_token_p95: float | None


class Wanted(Struct, forbid_unknown_fields=True):
    """What is to be watched."""

    events: Annotated[
        str,
        Meta(max_length=200, description="Names of events with commas between them. Without it: numbers, exchanges."),
    ] = ""


class Live:
    """Each watcher gets what their role may see; one whose session ends is cut off within half a minute."""

    def __init__(self, feed: LiveFeed, auth: ManagementAuth) -> None:
        self._feed = feed
        self._auth = auth

    def routes(self) -> Routes:
        return {
            "/numbers": {
                b"GET": Operation(
                    self.numbers,
                    answer=NumbersView,
                    needs="live.read",
                    action="live.read",
                    summary="Show what runs, and what there was since the start.",
                ),
            },
            "/live": {
                b"GET": Operation(
                    self.watch,
                    query=Wanted,
                    streams=(KIND,),
                    needs="live.read",
                    action="live.watch",
                    summary="Watch what happens now, as server-sent events that are named after what they are about.",
                    errors=(BadRequest, Unavailable),
                ),
            },
        }

    async def numbers(self, call: Call) -> NumbersView:
        return msgspec.convert(await self._feed.sources["numbers"].collect(), NumbersView)

    async def watch(self, call: Call) -> Streamed:
        feed = self._feed
        if feed.watchers >= MOST:
            raise Unavailable("as many as can be watch already", retry_after=30)
        named = {name for name in call.query.events.split(",") if name}
        if not named <= feed.sources.keys():
            unknown = ", ".join(sorted(named - feed.sources.keys()))
            raise BadRequest(f"events: there is none that is called {unknown}; there are {', '.join(feed.sources)}")
        wanted = [
            name
            for name, source in feed.sources.items()
            if (name in named if named else not source.if_named) and may(call.actor.role, source.needs)
        ]
        return Streamed(KIND.encode(), "live.txt", partial(feed.watch, wanted, lambda: self._auth.actor(call.request)))
