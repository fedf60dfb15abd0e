"""Upstreams: how they are, their circuits, and draining one by hand."""

from __future__ import annotations

from ..answers import Page, Redirect, ViewAnswer
from ..backend import segment
from ..visit import Entry, Route, Visit


async def show(visit: Visit) -> ViewAnswer:
    upstreams = (await visit.api.ask("GET", "/upstreams")).value
    circuits = (await visit.api.ask("GET", "/breaker")).value if visit.who.may("breaker.read") else []
    return Page("upstreams.html", {"upstreams": upstreams, "circuits": circuits})


async def confirm(visit: Visit) -> ViewAnswer:
    upstreams = (await visit.api.ask("GET", "/upstreams")).value
    place = (visit.names["api"], visit.names["upstream"])
    others = [each for each in upstreams if each["api"] == place[0] and each["upstream"] != place[1]]
    [*found] = [each for each in upstreams if (each["api"], each["upstream"]) == place]
    return Page("upstream-drain.html", {"api": place[0], "upstream": place[1], "found": found, "others": others})


async def drain(visit: Visit) -> ViewAnswer:
    return await _change(visit, "drain", "is drained: what runs there ends as it would")


async def undrain(visit: Visit) -> ViewAnswer:
    return await _change(visit, "undrain", "gets requests again")


async def _change(visit: Visit, word: str, becomes: str) -> ViewAnswer:
    api, upstream = visit.names["api"], visit.names["upstream"]
    await visit.api.ask("POST", f"/upstreams/{segment(api)}/{segment(upstream)}/{word}")
    return Redirect("/upstreams", f"{api} / {upstream} {becomes}.")


_ONE = "/upstreams/{api}/{upstream}"

ROUTES = (
    Route("GET", "/upstreams", show, "upstream.read"),
    Route("GET", f"{_ONE}/drain", confirm, "upstream.drain"),
    Route("POST", f"{_ONE}/drain", drain, "upstream.drain"),
    Route("POST", f"{_ONE}/undrain", undrain, "upstream.drain"),
)
NAVIGATION = (Entry("Upstreams", "/upstreams", "upstream.read", 60),)
