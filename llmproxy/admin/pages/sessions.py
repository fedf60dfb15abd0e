"""Sessions: who is signed in, and ending that."""

from __future__ import annotations

from ..answers import Page, Redirect, ViewAnswer
from ..backend import segment
from ..visit import Entry, Route, Visit


async def show(visit: Visit) -> ViewAnswer:
    sessions = (await visit.api.ask("GET", "/sessions")).value
    return Page("sessions.html", {"sessions": sessions})


async def end(visit: Visit) -> ViewAnswer:
    await visit.api.ask("DELETE", f"/sessions/{segment(visit.form.text('session'))}")
    return Redirect("/sessions", "The session has been ended.")


async def end_all(visit: Visit) -> ViewAnswer:
    count = (await visit.api.ask("DELETE", "/sessions", query={"of": "all"})).value["ended_count"]
    return Redirect("/sessions", f"{count} sessions have been ended.")


ROUTES = (
    Route("GET", "/sessions", show, "session.own"),
    Route("POST", "/sessions/end", end, "session.own"),
    Route("POST", "/sessions/end-all", end_all, "admin.write"),
)
NAVIGATION: tuple[Entry, ...] = ()
