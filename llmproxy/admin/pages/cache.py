"""The cache: what it holds and saves, and purging it."""

from __future__ import annotations

from typing import Any

from ..answers import Page, Redirect, ViewAnswer
from ..backend import ApiError
from ..problems import Problems, problems_of
from ..visit import Entry, Route, Visit

FIELDS = ("url", "prefix", "method", "project_id", "api", "all")


async def show(visit: Visit) -> ViewAnswer:
    return await _page(visit, {}, {})


async def _page(visit: Visit, values: dict[str, str], problems: Problems, status: int = 200) -> Page:
    try:
        stats = (await visit.api.ask("GET", "/cache/stats")).value
    except ApiError as error:
        if error.status != 400:
            raise
        return Page("cache.html", {"stats": None})
    looked = stats["hits"] + stats["misses"]
    context = {
        "stats": stats,
        "ratio": stats["hits"] / looked if looked else None,
        "values": values,
        "problems": problems,
    }
    return Page("cache.html", context, status)


async def purge(visit: Visit) -> ViewAnswer:
    form = visit.form
    what = form.text("what")
    body: dict[str, Any] = {name: form.text(name) for name in ("project_id", "api") if form.text(name)}
    if what == "all":
        body["all"] = True
    else:
        body["url" if what == "url" else "prefix"] = form.text("address")
    if what != "all" and not form.text("address"):
        return await _page(visit, form.shown(), {"address": "Say which address is to go."}, 400)
    try:
        found = (await visit.api.ask("POST", "/cache/purge", body=body)).value["deleted"]
    except ApiError as error:
        problems = problems_of(error, FIELDS)
        words = {("address" if name in ("url", "prefix") else name): text for name, text in problems.items()}
        return await _page(visit, form.shown(), words, error.status)
    if isinstance(found, bool):
        return Redirect("/cache", "It has been purged." if found else "It was not stored.")
    return Redirect("/cache", f"{found} {'answer has' if found == 1 else 'answers have'} been purged.")


ROUTES = (
    Route("GET", "/cache", show, "cache.read"),
    Route("POST", "/cache", purge, "cache.purge"),
)
NAVIGATION = (Entry("Cache", "/cache", "cache.read", 70),)
