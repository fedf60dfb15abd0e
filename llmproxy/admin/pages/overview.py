"""The overview: what was asked and what it cost, and what needs attention."""

from __future__ import annotations

from ..answers import Page, ViewAnswer
from ..visit import Entry, Route, Visit


async def show(visit: Visit) -> ViewAnswer:
    projects = (await visit.api.ask("GET", "/projects", query={"limit": "1"})).value
    return Page("overview.html", {"is_new": not projects})


ROUTES = (Route("GET", "/", show),)
NAVIGATION = (Entry("Overview", "/", order=10),)
