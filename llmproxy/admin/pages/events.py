"""Events: the sinks that they go to, and how those are."""

from __future__ import annotations

from ..answers import Page, Redirect, ViewAnswer
from ..backend import segment
from ..visit import Entry, Route, Visit


async def show(visit: Visit) -> ViewAnswer:
    sinks = (await visit.api.ask("GET", "/sinks")).value
    return Page("events.html", {"sinks": sinks})


async def test(visit: Visit) -> ViewAnswer:
    name = visit.names["sink"]
    found = (await visit.api.ask("POST", f"/sinks/{segment(name)}/test")).value
    words = f"{name} took one event" if found["taken"] else f"{name} did not take the event"
    return Redirect("/events", f"{words}: {found['answer']}" if found["answer"] else f"{words}.")


ROUTES = (
    Route("GET", "/events", show, "sink.read"),
    Route("POST", "/events/{sink}/test", test, "sink.test"),
)
NAVIGATION = (Entry("Events", "/events", "sink.read", 80),)
