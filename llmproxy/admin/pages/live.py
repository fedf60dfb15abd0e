"""The stream of what happens now: one for all that is live in a page."""

from __future__ import annotations

from ..answers import Events, ViewAnswer
from ..visit import Entry, Route, Visit


async def events(visit: Visit) -> ViewAnswer:
    return Events((await visit.api.ask("GET", "/live")).value)


ROUTES = (Route("GET", "/live/events", events, "live.read"),)
NAVIGATION: tuple[Entry, ...] = ()
