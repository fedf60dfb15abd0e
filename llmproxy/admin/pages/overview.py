"""The overview: what was asked and what it cost, and what needs attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from ..answers import Page, ViewAnswer
from ..backend import Answer, ApiError
from ..spans import SPANS, Span, drawn, since_of, span_of
from ..visit import Entry, Route, Visit

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
    span = span_of(visit.query.get("span", ""))
    report = await _report(visit, span, group_by=span.period, forecast="true")
    upstreams = (await visit.api.ask("GET", "/upstreams")).value
    numbers = (await visit.api.ask("GET", "/numbers")).value
    common = {
        "span": span,
        "spans": SPANS,
        "upstreams": upstreams,
        "numbers": numbers,
        "steps": await _first_steps(visit, numbers),
        "address": visit.apis_at,
    }
    if report is None:
        return Page("overview.html", {**common, "report": None, "notices": notices(None, upstreams)})
    zone = visit.forms.zone
    begun, requests = drawn(
        report["data"],
        span,
        visit.now,
        zone,
        {"answered": lambda row: row["requests"] - row["errors"], "failed": lambda row: row["errors"]},
    )
    _, spend = drawn(report["data"], span, visit.now, zone, {"spend": lambda row: float(row["cost"])})
    context = {
        **common,
        "report": report,
        "totals": report["totals"],
        "forecast": report.get("forecast"),
        "ticks": [visit.forms.tick(at, span.period) for at in begun],
        "requests": requests,
        "spend": spend,
        "show_number": visit.forms.compact,
        "show_money": visit.forms.money,
        "top_projects": await _top(visit, span, "project"),
        "top_models": await _top(visit, span, "model"),
        "notices": notices(report["totals"], upstreams),
    }
    return Page("overview.html", context)


async def _report(visit: Visit, span: Span, **query: str) -> Mapping[str, Any] | None:
    """Sums of a span; C{None} where no usage is kept."""
    asked = {"from": since_of(span, visit.now, visit.forms.zone), "tz": visit.reader.zone, **query}
    try:
        answer: Answer = await visit.api.ask("GET", "/usage", query=asked)
    except ApiError as error:
        if error.status == 503 and "no usage is kept" in str(error):
            return None
        raise
    report: Mapping[str, Any] = answer.value
    return report


async def _top(visit: Visit, span: Span, group: str) -> Sequence[Mapping[str, Any]]:
    report = await _report(visit, span, group_by=group, top=str(TOP))
    return [] if report is None else report["data"]


async def _first_steps(visit: Visit, numbers: Mapping[str, Any]) -> dict[str, bool]:
    """What a new installation has done already; empty where all of it is done."""
    if numbers["requests"]:
        return {}
    has_project = bool((await visit.api.ask("GET", "/projects", query={"limit": "1"})).value)
    has_token = has_project and bool((await visit.api.ask("GET", "/tokens", query={"limit": "1"})).value)
    return {"project": has_project, "token": has_token}


def notices(totals: Mapping[str, Any] | None, upstreams: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """What needs attention, the worst first."""
    found = []
    for each in upstreams:
        name = each["api"] if each["upstream"] == each["api"] else f"{each['upstream']} of {each['api']}"
        health = "drained" if each["drained"] else each["health"]
        if health in UNWELL:
            level = "bad" if health in ("unwell", "ejected") else "warn"
            found.append(Notice(level, f"The upstream {name} {UNWELL[health]}."))
        circuits = each["circuits"]
        if circuits["open"]:
            found.append(Notice("bad", f"The circuit to {name} is open: requests are refused for now."))
        if each["keys_aside"]:
            found.append(Notice("warn", f"{each['keys_aside']} keys for {name} are set aside after refusals."))
    if totals is not None:
        found += _of_totals(totals)
    return sorted(found, key=lambda notice: notice.level)


def _of_totals(totals: Mapping[str, Any]) -> list[Notice]:
    found = []
    requests, errors = totals["requests"], totals["errors"]
    if requests and errors / requests > MANY_ERRORS:
        found.append(Notice("bad", f"{round(100 * errors / requests)} in 100 requests of this span have failed."))
    if totals["unpriced"]:
        words = (
            "has no known cost: no price is known for the model"
            if totals["unpriced"] == 1
            else ("have no known cost: no price is known for their models")
        )
        number = "1 request" if totals["unpriced"] == 1 else f"{totals['unpriced']} requests"
        found.append(Notice("warn", f"{number} of this span {words}."))
    return found


ROUTES = (Route("GET", "/", show, "usage.read"),)
NAVIGATION = (Entry("Overview", "/", "usage.read", 10),)
