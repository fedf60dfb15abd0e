"""Projects: list, one of them, create, edit, deactivate, activate, revoke all of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...management.atonce import all_of
from ..answers import Page, Redirect, ViewAnswer
from ..backend import ApiError, segment
from ..limitforms import MAIN, MORE, NAMES, changed, stated, texts
from ..lists import listing
from ..problems import Problems, overtaken, problems_of
from ..reports import charts, report
from ..spans import SPANS, span_of
from ..visit import Entry, Form, Route, Visit

STATES = {"active": "true", "inactive": "false"}
"""Filters by what the address says, and what the API calls them."""

SHOWN = 5
"""Entries of a list within a page."""

LOOKS = frozenset({"find", "list", "project", "read", "records", "token", "watch"})
"""The last words of actions that change nothing."""

_KEY = "key."
"""Before the name of an API, in the name of the field for its key."""

FIELDS = ("name", "api_key", "api_keys", *NAMES)


# -- list and detail


async def show_list(visit: Visit) -> ViewAnswer:
    search, state = visit.query.get("search", ""), visit.query.get("state", "")
    sort = "newest" if visit.query.get("sort") == "newest" else ""
    filters = {"name": search, "active": STATES.get(state, "")}
    found = await listing(visit, "/projects", {**filters, "sort": sort})
    context = {"list": found, "is_filtered": any(filters.values()), "search": search, "state": state, "sort": sort}
    context |= {"by_name": visit.link(sort="", after=""), "by_newest": visit.link(sort="newest", after="")}
    return Page("projects.html", context)


async def show(visit: Visit) -> ViewAnswer:
    answer, tokens, events, usage = await visit.api.gather(
        visit.api.ask("GET", _path(visit)),
        _newest_tokens(visit),
        _latest_events(visit),
        usage_of(visit, f"{_path(visit)}/usage", "token,model"),
    )
    project = answer.value
    context = {
        "project": project,
        "keys": keys_of(project),
        "limits": limits_of(project),
        "tokens": tokens,
        "events": events,
        **usage,
    }
    return Page("project.html", context)


async def usage_of(visit: Visit, path: str, groups: str) -> dict[str, Any]:
    """
    What a project or token has used in a span: charts, and what of it cost most.

    @param path: of its report in the API.
    @param groups: what that is grouped by, beside periods; with commas, each by itself.
    """
    span = span_of(visit.query.get("span", "30d"))
    kinds = groups.split(",")
    # Those who call this may be among others: what all of them read is read together.
    found, *tops = await all_of(
        [
            report(visit, span, path, group_by=span.period),
            *(report(visit, span, path, group_by=group, top=str(SHOWN)) for group in kinds),
        ]
    )
    if found is None:
        return {"span": span, "spans": SPANS, "usage": None}
    tables = {f"by_{group}": [] if rows is None else rows["data"] for group, rows in zip(kinds, tops, strict=True)}
    return {"span": span, "spans": SPANS, "usage": found["totals"], **charts(visit, span, found), **tables}


async def _newest_tokens(visit: Visit) -> list[dict[str, Any]]:
    query = {"projectId": visit.names["project_id"], "limit": str(SHOWN)}
    tokens: list[dict[str, Any]] = (await visit.api.ask("GET", "/tokens", query=query)).value
    return tokens


async def _latest_events(visit: Visit) -> list[dict[str, Any]] | None:
    """
    The last changes of a project in the audit log, for who may see it; C{None} where there is none. That somebody
    looked at it, as now, is noted too, and is no change.
    """
    if not visit.who.may("audit.read"):
        return None
    query = {"project_id": visit.names["project_id"], "limit": "100"}
    try:
        events: list[dict[str, Any]] | None = (await visit.api.ask("GET", "/audit", query=query)).value["events"]
    except ApiError as error:
        if error.status not in (404, 503):
            raise
        return None
    return [event for event in events or [] if event["action"].rpartition(".")[2] not in LOOKS][:SHOWN]


def keys_of(project: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The keys of a project by API, masked as the API has them."""
    keys = project["api_keys"].items()
    return [(api, [shown] if isinstance(shown, str) else shown) for api, shown in sorted(keys)]


def limits_of(thing: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is left of the limits of a project or token, each with what its bar shows."""
    found = []
    for each in thing.get("limits_left", ()):
        limit = float(each["value"])
        left = None if each["left"] is None else float(each["left"])
        used = None if left is None else max(0.0, limit - left)
        is_money = each["limit"] in ("max_budget", "soft_budget") or "time_zone" in each
        found.append({**each, "limit_value": limit, "used": used, "is_money": is_money})
    return found


# -- create and edit


async def new(visit: Visit) -> ViewAnswer:
    return await _form_page(visit, {"name": "", **texts({})}, {})


async def create(visit: Visit) -> ViewAnswer:
    form = visit.form
    body = {"name": form.text("name"), "api_keys": keys_given(form), **stated(form)}
    if not body["name"]:
        return await _form_page(visit, form.shown(), {"name": "A project needs a name."}, 400)
    try:
        made = (await visit.api.ask("POST", "/projects", body=body, key=form.text("key"))).value
    except ApiError as error:
        return await _form_page(visit, form.shown(), problems_of(error, FIELDS), error.status)
    return Redirect(f"/projects/{segment(made['id'])}", f"The project {made['name']} has been created.")


async def edit(visit: Visit) -> ViewAnswer:
    answer = await visit.api.ask("GET", _path(visit))
    project = answer.value
    return await _form_page(visit, _values(project), {}, project=project, version=answer.version)


def _values(project: Mapping[str, Any]) -> dict[str, str]:
    return {"name": project["name"], **texts(project)}


async def change(visit: Visit) -> ViewAnswer:
    form = visit.form
    name = form.text("name")
    body: dict[str, Any] = {**changed(form), "api_keys": {**keys_given(form), **keys_removed(form)}}
    problems: Problems = {}
    if name:
        try:
            await visit.api.ask("PATCH", _path(visit), body={"name": name, **body}, version=form.text("version"))
            return Redirect(visit.path.removesuffix("/edit"), f"The project {name} has been changed.")
        except ApiError as error:
            problems, status = problems_of(error, FIELDS), error.status
    else:
        problems, status = {"name": "A project needs a name."}, 400
    answer = await visit.api.ask("GET", _path(visit))
    if status == 412:
        problems |= overtaken(form.shown(), _values(answer.value))
    return await _form_page(visit, form.shown(), problems, status, project=answer.value, version=answer.version)


def keys_given(form: Form) -> dict[str, str]:
    """The keys that were typed, by API; an empty field is none."""
    return {
        name.removeprefix(_KEY): text for name in form.values if name.startswith(_KEY) and (text := form.text(name))
    }


def keys_removed(form: Form) -> dict[str, None]:
    """The APIs whose key is to go, where no other was typed."""
    given = keys_given(form)
    return dict.fromkeys(api for api in form.all("remove_key") if api not in given)


async def _form_page(
    visit: Visit,
    values: Mapping[str, str],
    problems: Problems,
    status: int = 200,
    *,
    project: Mapping[str, Any] | None = None,
    version: str = "",
) -> Page:
    context = {
        # A key that was typed is not sent back: it is typed again.
        "values": {name: value for name, value in values.items() if not name.startswith(_KEY)},
        "problems": problems,
        "apis": await _apis(visit, project),
        "keys": {} if project is None else dict(keys_of(project)),
        "main_limits": MAIN,
        "more_limits": MORE,
        "has_more": any(values.get(each.name) for each in MORE),
        "project": project,
        "version": version,
    }
    return Page("project-form.html", context, status)


async def _apis(visit: Visit, project: Mapping[str, Any] | None) -> list[str]:
    """The APIs that a project can have a key for, and those that it has one for though they are gone."""
    upstreams = (await visit.api.ask("GET", "/upstreams")).value
    known = dict.fromkeys(each["api"] for each in upstreams)
    return [*known, *(api for api in ({} if project is None else project["api_keys"]) if api not in known)]


# -- deactivate, activate, revoke: each says first what it will do


async def confirm_deactivate(visit: Visit) -> ViewAnswer:
    answer, (tokens, is_more) = await visit.api.gather(visit.api.ask("GET", _path(visit)), _active_tokens(visit))
    context = {"project": answer.value, "version": answer.version, "tokens": tokens, "is_more": is_more}
    return Page("project-deactivate.html", context)


async def deactivate(visit: Visit) -> ViewAnswer:
    body: dict[str, Any] = {"is_active": False}
    if visit.form.flag("revoke_tokens"):
        body["revoke_tokens"] = True
    await visit.api.ask("PATCH", _path(visit), body=body, version=visit.form.text("version"))
    return Redirect(_back(visit), "The project is inactive: its tokens are refused, and what they ran has been cut.")


async def activate(visit: Visit) -> ViewAnswer:
    await visit.api.ask("PATCH", _path(visit), body={"is_active": True})
    return Redirect(_back(visit), "The project is active again.")


async def confirm_revoke(visit: Visit) -> ViewAnswer:
    answer, (tokens, is_more) = await visit.api.gather(visit.api.ask("GET", _path(visit)), _active_tokens(visit))
    return Page("project-revoke.html", {"project": answer.value, "tokens": tokens, "is_more": is_more})


async def revoke(visit: Visit) -> ViewAnswer:
    counts = (await visit.api.ask("POST", f"{_path(visit)}/tokens/revoke")).value
    number, earlier = counts["revoked_count"], counts["already_revoked_count"]
    words = f"{number} {'token has' if number == 1 else 'tokens have'} been revoked."
    return Redirect(_back(visit), f"{words} {earlier} had been before." if earlier else words)


async def _active_tokens(visit: Visit) -> tuple[int, bool]:
    """How many tokens it has that are not revoked, and whether there are more than were counted."""
    query = {"projectId": visit.names["project_id"], "active": "true", "limit": "1000"}
    answer = await visit.api.ask("GET", "/tokens", query=query)
    return len(answer.value), bool(answer.after)


def _path(visit: Visit) -> str:
    return f"/projects/{segment(visit.names['project_id'])}"


def _back(visit: Visit) -> str:
    return _path(visit)


_ONE = "/projects/{project_id}"

ROUTES = (
    Route("GET", "/projects", show_list, "project.read"),
    Route("GET", "/projects/new", new, "project.write"),
    Route("POST", "/projects/new", create, "project.write"),
    Route("GET", _ONE, show, "project.read"),
    Route("GET", f"{_ONE}/edit", edit, "project.write"),
    Route("POST", f"{_ONE}/edit", change, "project.write"),
    Route("GET", f"{_ONE}/deactivate", confirm_deactivate, "project.write"),
    Route("POST", f"{_ONE}/deactivate", deactivate, "project.write"),
    Route("POST", f"{_ONE}/activate", activate, "project.write"),
    Route("GET", f"{_ONE}/revoke-tokens", confirm_revoke, "token.write"),
    Route("POST", f"{_ONE}/revoke-tokens", revoke, "token.write"),
)
NAVIGATION = (Entry("Projects", "/projects", "project.read", 20),)
