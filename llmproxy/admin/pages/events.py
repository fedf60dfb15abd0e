"""Events: the sinks that they go to, and how those are."""

from __future__ import annotations

from ..answers import Page, ViewAnswer
from ..visit import Entry, Route, Visit


async def show(visit: Visit) -> ViewAnswer:
    sinks = (await visit.api.ask("GET", "/sinks")).value
    return Page("events.html", {"sinks": sinks})


ROUTES = (Route("GET", "/events", show, "sink.read"),)
NAVIGATION = (Entry("Events", "/events", "sink.read", 80),)
