"""C{/manage/live}: what happens now, as server-sent events."""

from __future__ import annotations

from functools import partial

from ...core.roles import may
from ...errors import Unavailable
from ..livefeed import MOST, LiveFeed
from ..operations import Call, Operation, Routes
from ..streamed import Streamed
from .auth import ManagementAuth

KIND = "text/event-stream"


class Live:
    """Each watcher gets what their role may see; one whose session ends is cut off within half a minute."""

    def __init__(self, feed: LiveFeed, auth: ManagementAuth) -> None:
        self._feed = feed
        self._auth = auth

    def routes(self) -> Routes:
        return {
            "/live": {
                b"GET": Operation(
                    self.watch,
                    streams=(KIND,),
                    needs="live.read",
                    action="live.watch",
                    summary="Watch what happens now, as server-sent events that are named after what they are about.",
                    errors=(Unavailable,),
                ),
            },
        }

    async def watch(self, call: Call) -> Streamed:
        feed = self._feed
        if feed.watchers >= MOST:
            raise Unavailable("as many as can be watch already", retry_after=30)
        wanted = [name for name, source in feed.sources.items() if may(call.actor.role, source.needs)]
        return Streamed(KIND.encode(), "live.txt", partial(feed.watch, wanted, lambda: self._auth.actor(call.request)))
