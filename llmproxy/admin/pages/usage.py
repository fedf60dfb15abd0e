"""Usage: any grouping as chart and table, single records, export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...management.usageanswers import NAMED
from ..answers import Download, Page, ViewAnswer
from ..backend import ApiError, segment
from ..lists import listing
from ..problems import query_problem
from ..spans import SPANS, Span, drawn, since_of, span_of
from ..visit import Entry, Route, Visit

GROUPS = (
    ("day", "day"),
    ("hour", "hour"),
    ("month", "month"),
    ("project", "project"),
    ("token", "token"),
    ("model", "model"),
    ("served_model", "model that answered"),
    ("api", "API"),
    ("endpoint", "endpoint"),
    ("status", "status"),
    ("user", "user"),
    ("session", "session"),
    ("program", "program"),
    ("person", "person"),
)
"""What can be chosen, and its words; a tag is typed."""

PERIODS = ("hour", "day", "month")
FILTERS = ("project_id", "token_id", "person_id", "api", "model")
SHOWN = 200
"""Rows of a report that are shown; the totals have the others."""

DRAWN = 20
"""Rows that a chart shows which is not of time."""


async def show(visit: Visit) -> ViewAnswer:
    span, groups = span_of(visit.query.get("span", "30d")), groups_of(visit.query)
    query = {**_filters(visit), **_span(visit, span), "group_by": ",".join(groups), "top": str(SHOWN)}
    if len(groups) == 1 and groups[0] in PERIODS:
        # A chart of time has a place for each of them.
        query.pop("top")
    context: dict[str, Any] = {
        "span": span,
        "spans": SPANS,
        "groups": groups,
        "choices": _choices(groups),
        "chosen": dict(zip(("first", "second"), [*groups, ""], strict=False)),
        "filters": _filters(visit),
        "query": visit.query,
        "problem": "",
    }
    try:
        report = (await visit.api.ask("GET", "/usage", query=query)).value
    except ApiError as error:
        if error.status not in (400, 503):
            raise
        return Page("usage.html", {**context, "report": None, "problem": query_problem(error)}, error.status)
    rows = [Row(visit, row, groups) for row in report["data"]]
    return Page(
        "usage.html",
        {**context, "report": report, "rows": rows, "totals": report["totals"], **_chart(visit, report, span, groups)},
    )


def groups_of(query: Mapping[str, str]) -> list[str]:
    """What is grouped by: C{first} and C{second}, each a choice or C{tag:NAME}; by day where nothing is said."""
    found = [query.get(name, "").strip() for name in ("first", "second")]
    return list(dict.fromkeys(each for each in found if each)) or ["day"]


def _choices(groups: Sequence[str]) -> list[tuple[str, str]]:
    """Those there are, and what was typed otherwise."""
    known = dict(GROUPS)
    return [*GROUPS, *((each, each) for each in groups if each not in known)]


def _filters(visit: Visit) -> dict[str, str]:
    return {name: visit.query[name] for name in FILTERS if visit.query.get(name)}


def _span(visit: Visit, span: Span) -> dict[str, str]:
    return {"from": since_of(span, visit.now, visit.forms.zone), "tz": visit.reader.zone}


class Row:
    """
    A row of a report.

    @ivar keys: what is shown of each group: its words, and where a click on it leads, C{""} for nowhere.
    """

    def __init__(self, visit: Visit, row: Mapping[str, Any], groups: Sequence[str]) -> None:
        self.values = row
        self.keys = [_key(visit, row, group) for group in groups]


def _key(visit: Visit, row: Mapping[str, Any], group: str) -> tuple[str, str]:
    if group in NAMED:
        found, name = row.get(f"{group}_id"), row.get(f"{group}_name")
        words = str(name or found or "unknown")
        return words, visit.link(**{f"{group}_id": found, "first": "day", "second": ""}) if found else ""
    value = row.get(group)
    words = "unknown" if value is None else str(value)
    filtered = group in FILTERS and value is not None
    return words, visit.link(**{group: value, "first": "day", "second": ""}) if filtered else ""


def _chart(visit: Visit, report: Mapping[str, Any], span: Span, groups: Sequence[str]) -> dict[str, Any]:
    """Spend and requests over time; of another group, its first rows."""
    if len(groups) == 1 and groups[0] in PERIODS:
        drawn_in = Span(span.name, span.words, groups[0])
        values = {"requests": lambda row: row["requests"], "spend": lambda row: float(row["cost"])}
        begun, (requests, spend) = drawn(report["data"], drawn_in, visit.now, visit.forms.zone, values)
        ticks = [visit.forms.tick(at, groups[0]) for at in begun]
    else:
        rows = report["data"][:DRAWN]
        ticks = [" / ".join(words for words, _ in Row(visit, row, groups).keys)[:40] for row in rows]
        requests = ("requests", [row["requests"] for row in rows])
        spend = ("spend", [float(row["cost"]) for row in rows])
    shown = {"show_number": visit.forms.compact, "show_money": visit.forms.money}
    return {"ticks": ticks, "requests": [requests], "spend": [spend], **shown}


# -- single records


async def records(visit: Visit) -> ViewAnswer:
    span = span_of(visit.query.get("span", "24h"))
    query = {**_filters(visit), **_span(visit, span)}
    context = {"span": span, "spans": SPANS, "filters": _filters(visit), "query": visit.query}
    try:
        found = await listing(visit, "/usage/records", query)
    except ApiError as error:
        if error.status != 503:
            raise
        return Page("usage-records.html", {**context, "list": None}, error.status)
    return Page("usage-records.html", {**context, "list": found, "is_filtered": bool(_filters(visit))})


async def export(visit: Visit) -> ViewAnswer:
    """All records of a span, as a file of any length."""
    span = span_of(visit.query.get("span", "24h"))
    form = "jsonl" if visit.names["format"] == "jsonl" else "csv"
    query = {**_filters(visit), **_span(visit, span), "format": form}
    return Download((await visit.api.ask("GET", "/usage/records", query=query)).value)


def project_link(project_id: str) -> str:
    """The usage of one project, by day."""
    return f"/usage?project_id={segment(project_id)}"


ROUTES = (
    Route("GET", "/usage", show, "usage.read"),
    Route("GET", "/usage/records", records, "usage.read"),
    Route("GET", "/usage/records/{format}", export, "usage.read"),
)
NAVIGATION = (Entry("Usage", "/usage", "usage.read", 40),)
