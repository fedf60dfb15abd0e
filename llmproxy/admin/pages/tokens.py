"""Tokens: list, find by secret, one of them, create, edit, rotate, revoke, activate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ..answers import Page, Redirect, ViewAnswer
from ..backend import ApiError, segment
from ..formats import moment_of
from ..limitforms import MAIN, MORE, NAMES, changed, texts
from ..lists import SIZE, listing
from ..problems import Problems, overtaken, problems_of
from ..snippets import kind_of, snippets
from ..tokenforms import DEFAULT, DURATIONS, OTHER, OVERLAPS, body_of, metadata_of, metadata_text, minutes_of, number_of
from ..visit import Entry, Route, Visit
from .projects import limits_of, usage_of

STATES: dict[str, dict[str, str]] = {
    "active": {"active": "true", "expired": "false"},
    "expired": {"active": "true", "expired": "true"},
    "revoked": {"active": "false"},
}
"""Filters by what the address says, as the API has them."""

FIELDS = ("name", "duration_minutes", "max_requests", "metadata", "project_id", *NAMES)
CHOICES = 20
"""Projects that are offered for a new token at a time; more are searched for."""

KEEP = "keep"


def state_of(token: Mapping[str, Any], now: float) -> str:
    """C{active}, C{revoked} or C{expired}: one that is revoked is so whatever its time is."""
    if not token["is_active"]:
        return "revoked"
    ends = moment_of(token["expires_at"])
    return "expired" if ends is not None and ends.timestamp() <= now else "active"


# -- list and detail


async def show_list(visit: Visit) -> ViewAnswer:
    project, search, state = (visit.query.get(name, "") for name in ("project", "search", "state"))
    filters = {"projectId": project, "name": search, **STATES.get(state, {})}
    found = await listing(visit, "/tokens", {**filters, "project_names": "true"})
    context = {
        "list": found,
        "is_filtered": any(filters.values()),
        # Not all have been looked at: a page that ends before it is full.
        "is_partial": bool(found.next) and len(found.rows) < SIZE,
        "search": search,
        "state": state,
        "project": await _project(visit, project) if project else None,
        "states": {token["id"]: state_of(token, visit.now) for token in found.rows},
    }
    return Page("tokens.html", context)


async def find(visit: Visit) -> ViewAnswer:
    """By what was found somewhere: it goes along in the form, not in the address."""
    try:
        token = (await visit.api.ask("POST", "/tokens/find", body={"token": visit.form.text("secret")})).value
    except ApiError as error:
        if error.status not in (400, 404):
            raise
        return Redirect("/tokens", "No token of this proxy has this secret.")
    return Redirect(f"/tokens/{segment(token['id'])}", "This is the token with that secret.")


async def show(visit: Visit) -> ViewAnswer:
    (token, project), usage = await visit.api.gather(
        _with_project(visit), usage_of(visit, f"{_path(visit)}/usage", "model")
    )
    context = {
        "token": token,
        "project": project,
        "state": state_of(token, visit.now),
        "limits": limits_of(token),
        **usage,
        "own": [(each.label, token[each.name]) for each in (*MAIN, *MORE) if each.name in token],
    }
    return Page("token.html", context)


async def _with_project(visit: Visit) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    token = (await visit.api.ask("GET", _path(visit))).value
    return token, await _project(visit, token["project_id"])


# -- create


async def new(visit: Visit) -> ViewAnswer:
    chosen = visit.query.get("project", "")
    if not chosen:
        return await _choose(visit)
    return await _form_page(visit, await _project(visit, chosen), {"duration": str(DEFAULT), **texts({})}, {})


async def create(visit: Visit) -> ViewAnswer:
    form, problems = visit.form, Problems()
    project = await _project(visit, form.text("project"))
    body = {"project_id": project["id"], **body_of(form, problems)}
    if problems:
        return await _form_page(visit, project, form.shown(), problems, 400)
    try:
        issued = (await visit.api.ask("POST", "/tokens", body=body, key=form.text("key"))).value
    except ApiError as error:
        return await _form_page(visit, project, form.shown(), problems_of(error, FIELDS), error.status)
    return await _issued(visit, issued, project, "created")


async def _choose(visit: Visit) -> ViewAnswer:
    search = visit.query.get("search", "")
    query = {"name": search, "active": "true", "limit": str(CHOICES)}
    answer = await visit.api.ask("GET", "/projects", query=query)
    if len(answer.value) == 1 and not search:
        return Redirect(f"/tokens/new?project={segment(answer.value[0]['id'])}")
    return Page("token-choose.html", {"projects": answer.value, "is_more": bool(answer.after), "search": search})


async def _form_page(
    visit: Visit, project: Mapping[str, Any], values: Mapping[str, str], problems: Problems, status: int = 200
) -> Page:
    context = {
        "project": project,
        "values": values,
        "problems": {"duration": problems.get("duration_minutes", ""), **problems},
        "durations": [(str(minutes), words) for minutes, words in DURATIONS] + [(OTHER, "another duration")],
        "main_limits": MAIN,
        "more_limits": MORE,
        "has_more": any(values.get(each.name) for each in MORE) or values.get("metadata"),
    }
    if not problems:
        context["problems"] = {}
    return Page("token-new.html", context, status)


async def _issued(visit: Visit, issued: Mapping[str, Any], project: Mapping[str, Any], how: str) -> Page:
    apis = await _apis(visit)
    lines = snippets(visit.apis_at, issued["token"], apis)
    return Page("token-issued.html", {"issued": issued, "project": project, "how": how, "snippets": lines})


async def _apis(visit: Visit) -> list[tuple[str, str]]:
    """The APIs that there are, and what they speak; the default one first, as the API has them."""
    upstreams = (await visit.api.ask("GET", "/upstreams")).value
    found: dict[str, str] = {}
    for each in upstreams:
        found.setdefault(each["api"], kind_of(each["api"], each["url"]))
    return list(found.items())


# -- edit


async def edit(visit: Visit) -> ViewAnswer:
    answer = await visit.api.ask("GET", _path(visit))
    return await _edit_page(visit, _values(answer.value), {}, answer.value, answer.version)


def _values(token: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": token["name"] or "",
        "max_requests": "" if token["max_requests"] is None else str(token["max_requests"]),
        "metadata": metadata_text(token["metadata"]),
        **texts(token),
    }


async def change(visit: Visit) -> ViewAnswer:
    form, problems = visit.form, Problems()
    body: dict[str, Any] = {
        **changed(form),
        "name": form.text("name") or None,
        "metadata": metadata_of(form, problems) or None,
        "max_requests": number_of(form, "max_requests", problems) or 0,
    }
    if form.text("duration") not in ("", KEEP):
        minutes = minutes_of(form, problems)
        ends = datetime.fromtimestamp(visit.now, timezone.utc) + timedelta(minutes=minutes)
        body["expires_at"] = ends.isoformat(timespec="seconds")
    status = 400
    if not problems:
        try:
            await visit.api.ask("PATCH", _path(visit), body=body, version=form.text("version"))
            return Redirect(_path(visit), "The token has been changed.")
        except ApiError as error:
            problems, status = problems_of(error, (*FIELDS, "expires_at")), error.status
    answer = await visit.api.ask("GET", _path(visit))
    if status == 412:
        problems |= overtaken(form.shown(), _values(answer.value))
    return await _edit_page(visit, form.shown(), problems, answer.value, answer.version, status)


async def _edit_page(
    visit: Visit,
    values: Mapping[str, str],
    problems: Problems,
    token: Mapping[str, Any],
    version: str,
    status: int = 200,
) -> Page:
    durations = [(str(minutes), f"{words} from now") for minutes, words in DURATIONS]
    context = {
        "token": token,
        "project": await _project(visit, token["project_id"]),
        "values": values,
        "problems": problems,
        "version": version,
        "durations": [(KEEP, "as it is"), *durations, (OTHER, "another duration from now")],
        "main_limits": MAIN,
        "more_limits": MORE,
        "has_more": any(values.get(each.name) for each in MORE) or values.get("metadata"),
    }
    return Page("token-edit.html", context, status)


# -- rotate, revoke, activate


async def confirm_rotate(visit: Visit) -> ViewAnswer:
    answer = await visit.api.ask("GET", _path(visit))
    context = {"token": answer.value, "version": answer.version, "overlaps": [(str(s), words) for s, words in OVERLAPS]}
    return Page("token-rotate.html", context)


async def rotate(visit: Visit) -> ViewAnswer:
    overlap = visit.form.text("overlap_seconds")
    body = {"overlap_seconds": int(overlap) if overlap.isascii() and overlap.isdigit() and len(overlap) < 9 else -1}
    version, key = visit.form.text("version"), visit.form.text("key")
    issued = (await visit.api.ask("POST", f"{_path(visit)}/rotate", body=body, version=version, key=key)).value
    token = (await visit.api.ask("GET", _path(visit))).value
    return await _issued(visit, issued, await _project(visit, token["project_id"]), "rotated")


async def confirm_revoke(visit: Visit) -> ViewAnswer:
    return Page("token-revoke.html", {"token": (await visit.api.ask("GET", _path(visit))).value})


async def revoke(visit: Visit) -> ViewAnswer:
    await visit.api.ask("DELETE", _path(visit))
    return Redirect(_path(visit), "The token has been revoked: it is refused, and what it ran has been cut.")


async def activate(visit: Visit) -> ViewAnswer:
    """Only that: its limits stay as they are."""
    await visit.api.ask("PATCH", _path(visit), body={"is_active": True})
    return Redirect(_path(visit), "The token is active again.")


async def reset_budget(visit: Visit) -> ViewAnswer:
    await visit.api.ask("POST", f"{_path(visit)}/budget/reset")
    return Redirect(_path(visit), "What the token spends is counted anew from now on.")


async def _project(visit: Visit, project_id: str) -> Mapping[str, Any]:
    """What it is called, and whether it is active."""
    answer = await visit.api.ask("GET", f"/projects/{segment(project_id)}", query={"limits_left": "false"})
    project: Mapping[str, Any] = answer.value
    return project


def _path(visit: Visit) -> str:
    return f"/tokens/{segment(visit.names['token_id'])}"


_ONE = "/tokens/{token_id}"

ROUTES = (
    Route("GET", "/tokens", show_list, "token.read"),
    Route("POST", "/tokens/find", find, "token.read"),
    Route("GET", "/tokens/new", new, "token.write"),
    Route("POST", "/tokens/new", create, "token.write"),
    Route("GET", _ONE, show, "token.read"),
    Route("GET", f"{_ONE}/edit", edit, "token.write"),
    Route("POST", f"{_ONE}/edit", change, "token.write"),
    Route("GET", f"{_ONE}/rotate", confirm_rotate, "token.write"),
    Route("POST", f"{_ONE}/rotate", rotate, "token.write"),
    Route("GET", f"{_ONE}/revoke", confirm_revoke, "token.write"),
    Route("POST", f"{_ONE}/revoke", revoke, "token.write"),
    Route("POST", f"{_ONE}/activate", activate, "token.write"),
    Route("POST", f"{_ONE}/reset-budget", reset_budget, "token.write"),
)
NAVIGATION = (Entry("Tokens", "/tokens", "token.read", 30),)
