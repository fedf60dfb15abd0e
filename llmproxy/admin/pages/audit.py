"""The audit log: search and detail."""

from __future__ import annotations

import json
from typing import Any

from ..answers import Page, ViewAnswer
from ..backend import ApiError, segment
from ..lists import SIZE
from ..problems import query_problem
from ..visit import Entry, Route, Visit

TYPED = ("search", "action", "actor", "outcome", "client_ip")
FOLLOWED = (
    ("request_id", "request"),
    ("correlation_id", "part of"),
    ("project_id", "project"),
    ("token_id", "token"),
    ("start_time", "from"),
    ("end_time", "to"),
)
"""Filters that links have, which no field of the page shows, and their words."""

FILTERS = (*TYPED, *(name for name, _ in FOLLOWED))
OUTCOMES = ("success", "failure", "denied", "error")


async def show_list(visit: Visit) -> ViewAnswer:
    given = {name: visit.query[name] for name in FILTERS if visit.query.get(name)}
    context: dict[str, Any] = {
        "filters": given,
        "followed": [(name, words, given[name]) for name, words in FOLLOWED if name in given],
        "outcomes": OUTCOMES,
        "problem": "",
        "searched_until": "",
    }
    after = visit.query.get("after", "")
    try:
        answer = await visit.api.ask("GET", "/audit", query={**given, "limit": str(SIZE), "cursor": after})
    except ApiError as error:
        if error.status not in (400, 503):
            raise
        return Page("audit.html", {**context, "events": None, "problem": query_problem(error)}, error.status)
    following = answer.value["pagination"].get("next_cursor")
    links = {
        "next": visit.link(after=following) if following else "",
        "first": visit.link(after="") if after else "",
    }
    until = answer.value["pagination"].get("searched_until")
    return Page("audit.html", {**context, "events": answer.value["events"], "list": links, "searched_until": until})


async def show(visit: Visit) -> ViewAnswer:
    event = (await visit.api.ask("GET", f"/audit/{segment(visit.names['event_id'])}")).value
    details = json.loads(event.get("metadata") or "{}")
    return Page("audit-event.html", {"event": event, "details": sorted(details.items())})


async def verify(visit: Visit) -> ViewAnswer:
    return Page("audit-verified.html", {"report": (await visit.api.ask("POST", "/audit/verify")).value})


ROUTES = (
    Route("GET", "/audit", show_list, "audit.read"),
    Route("POST", "/audit/verify", verify, "audit.read"),
    Route("GET", "/audit/{event_id}", show, "audit.read"),
)
NAVIGATION = (Entry("Audit", "/audit", "audit.read", 90),)
