"""The overview: what was asked and what it cost, and what needs attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from ..answers import Page, ViewAnswer
from ..reports import charts, report
from ..spans import SPANS, Span, span_of
from ..visit import Entry, Route, Visit

_UPSTREAMS = "/upstreams"

TOP = 5
MANY_ERRORS = 0.05
"""Of all requests of a span: more need attention."""

UNWELL = {
    "unwell": "is unwell: much of what it is asked fails",
    "degraded": "is degraded: some of what it is asked fails",
    "ejected": "is left out for now, after failures",
    "drained": "is drained: nothing goes there",
}
"""By the health of an upstream, what is said of it."""


@frozen
class Notice:
    """
    Something that needs attention.

    @ivar level: C{bad} or C{warn}.
    @ivar path: where to look, below the pages; C{""} for nowhere.
    """

    level: str
    words: str
    path: str = ""


async def show(visit: Visit) -> ViewAnswer:
    span, api = span_of(visit.query.get("span", "")), visit.api
    # The names of projects are found with their budgets.
    budgets, sums, top_projects, top_models, upstreams, numbers = await api.gather(
        api.ask("GET", "/budgets", query={"top": str(TOP)}),
        report(visit, span, group_by=span.period, forecast="true", latency="true"),
        report(visit, span, group_by="project", top=str(TOP)),
        report(visit, span, group_by="model", top=str(TOP)),
        api.ask("GET", "/upstreams"),
        api.ask("GET", "/numbers"),
    )
    is_used = bool(numbers.value["requests"] or (sums is not None and sums["totals"]["requests"]))
    common = {
        "span": span,
        "spans": SPANS,
        "upstreams": upstreams.value,
        "numbers": numbers.value,
        "steps": {} if is_used else await _first_steps(visit),
        "address": visit.apis_at,
        "budgets": budgets.value,
    }
    if sums is None:
        return Page("overview.html", {**common, "report": None, "notices": notices(None, upstreams.value, span)})
    context = {
        **common,
        **charts(visit, span, sums),
        "report": sums,
        "totals": sums["totals"],
        "forecast": sums.get("forecast"),
        "latency": sums.get("latency"),
        "top_projects": [] if top_projects is None else top_projects["data"],
        "top_models": [] if top_models is None else top_models["data"],
        "notices": notices(sums["totals"], upstreams.value, span),
    }
    return Page("overview.html", context)


async def _first_steps(visit: Visit) -> dict[str, bool]:
    """What a new installation has done already."""
    one = {"limit": "1"}
    asking = (visit.api.ask("GET", path, query=one) for path in ("/projects", "/tokens"))
    projects, tokens = await visit.api.gather(*asking)
    return {"project": bool(projects.value), "token": bool(tokens.value)}


def notices(totals: Mapping[str, Any] | None, upstreams: Sequence[Mapping[str, Any]], span: Span) -> list[Notice]:
    """What needs attention in C{span}, the worst first, and where to look."""
    found = []
    for each in upstreams:
        name = each["api"] if each["upstream"] == each["api"] else f"{each['upstream']} of {each['api']}"
        health = "drained" if each["drained"] else each["health"]
        if health in UNWELL:
            level = "bad" if health in ("unwell", "ejected") else "warn"
            found.append(Notice(level, f"The upstream {name} {UNWELL[health]}.", _UPSTREAMS))
        circuits = each["circuits"]
        if circuits["open"]:
            words = f"The circuit to {name} is open: requests are refused for now."
            found.append(Notice("bad", words, _UPSTREAMS))
        if each["keys_aside"]:
            words = f"{each['keys_aside']} keys for {name} are set aside after refusals."
            found.append(Notice("warn", words, _UPSTREAMS))
    if totals is not None:
        found += _of_totals(totals, span)
    return sorted(found, key=lambda notice: notice.level)


def _of_totals(totals: Mapping[str, Any], span: Span) -> list[Notice]:
    found = []
    requests, errors = totals["requests"], totals["errors"]
    if requests and errors / requests > MANY_ERRORS:
        words = f"{round(100 * errors / requests)} in 100 requests of this span have failed."
        found.append(Notice("bad", words, f"/usage?first=status&second=api&span={span.name}"))
    if totals["unpriced"]:
        words = (
            "has no known cost: no price is known for the model"
            if totals["unpriced"] == 1
            else ("have no known cost: no price is known for their models")
        )
        number = "1 request" if totals["unpriced"] == 1 else f"{totals['unpriced']} requests"
        path = f"/usage?first=served_model&second=api&span={span.name}"
        found.append(Notice("warn", f"{number} of this span {words}.", path))
    return found


ROUTES = (Route("GET", "/", show, "usage.read"),)
NAVIGATION = (Entry("Overview", "/", "usage.read", 10),)
