"""Events: the sinks that they go to, how those are, and their dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..answers import Page, Redirect, ViewAnswer
from ..backend import segment
from ..visit import Entry, Route, Visit


async def show(visit: Visit) -> ViewAnswer:
    sinks = (await visit.api.ask("GET", "/sinks")).value
    return Page("events.html", {"sinks": sinks})


async def test(visit: Visit) -> ViewAnswer:
    name = visit.names["sink"]
    found = (await visit.api.ask("POST", f"{_path(visit)}/test")).value
    words = f"{name} took one event" if found["taken"] else f"{name} did not take the event"
    return Redirect("/events", f"{words}: {found['answer']}" if found["answer"] else f"{words}.")


async def letters(visit: Visit) -> ViewAnswer:
    kept = (await visit.api.ask("GET", f"{_path(visit)}/dead-letters")).value
    return Page("events-letters.html", {"sink": visit.names["sink"], "kept": kept})


async def redeliver(visit: Visit) -> ViewAnswer:
    found = (await visit.api.ask("POST", f"{_path(visit)}/redeliver", body={})).value
    return Redirect(f"/events/{segment(visit.names['sink'])}/dead-letters", outcome(found))


def outcome(found: Mapping[str, Any]) -> str:
    """What came of dead letters that were sent again, in a sentence or two."""
    delivered, refused, left = found["delivered"], found["refused"], found["left"]
    if not delivered and not refused and not left:
        return "There are no dead letters."
    words = f"{delivered} {'event was' if delivered == 1 else 'events were'} delivered"
    if refused:
        words += f", {refused} refused again"
    if left:
        words += f", {left} {'is' if left == 1 else 'are'} left"
    return f"{words}. {found['error']}" if found["error"] else f"{words}."


def _path(visit: Visit) -> str:
    return f"/sinks/{segment(visit.names['sink'])}"


ROUTES = (
    Route("GET", "/events", show, "sink.read"),
    Route("POST", "/events/{sink}/test", test, "sink.test"),
    Route("GET", "/events/{sink}/dead-letters", letters, "sink.read"),
    Route("POST", "/events/{sink}/dead-letters", redeliver, "sink.redeliver"),
)
NAVIGATION = (Entry("Events", "/events", "sink.read", 80),)
