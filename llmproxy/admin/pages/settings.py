"""Settings: the configuration as it runs, reading it again, and admins."""

from __future__ import annotations

import json
from typing import Any

from ..answers import Page, Redirect, ViewAnswer
from ..backend import ApiError, segment
from ..problems import Problems, problems_of
from ..visit import Entry, Route, Visit

ROLES = (
    ("owner", "owner: may do everything"),
    ("operator", "operator: keeps projects and tokens going"),
    ("auditor", "auditor: looks at everything, and changes nothing"),
)

MOST_DAYS = 3650
"""Ten years, as the API has it."""


async def show(visit: Visit) -> ViewAnswer:
    return await _page(visit)


async def _page(visit: Visit, problem: str = "", status: int = 200) -> Page:
    config = (await visit.api.ask("GET", "/config")).value
    admins = (await visit.api.ask("GET", "/admins")).value if visit.who.may("admin.read") else []
    sections = [(name, _text(value)) for name, value in sorted(config["configuration"].items()) if name != "apis"]
    apis = [(name, _text(value)) for name, value in sorted(config["configuration"].get("apis", {}).items())]
    context = {"config": config, "apis": apis, "sections": sections, "admins": admins, "problem": problem}
    return Page("settings.html", context, status)


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


async def reload(visit: Visit) -> ViewAnswer:
    try:
        found = (await visit.api.ask("POST", "/config/reload")).value
    except ApiError as error:
        if error.status not in (409, 422):
            raise
        return await _page(visit, error.description or error.message, error.status)
    changed, late = ", ".join(found["changed"]), ", ".join(found["needs_restart"])
    words = f"The configuration has been read again; changed: {changed}." if changed else "Nothing of it has changed."
    return Redirect("/settings", f"{words} At the next start only: {late}." if late else words)


# -- a configuration that is pasted


async def paste(visit: Visit) -> ViewAnswer:
    return Page("config-check.html", {"text": "", "problems": None})


async def check(visit: Visit) -> ViewAnswer:
    """What is wrong with it; the text comes back as it was pasted."""
    text = visit.form.values.get("text", [""])[0]
    try:
        problems = (await visit.api.ask("POST", "/config/check", body={"text": text})).value["problems"]
    except ApiError as error:
        if error.status not in (400, 413):
            raise
        problems = [error.description or error.message]
    return Page("config-check.html", {"text": text, "problems": problems})


# -- admins


async def new_admin(visit: Visit) -> ViewAnswer:
    return Page("admin-form.html", {"values": {}, "problems": {}, "roles": ROLES})


async def create_admin(visit: Visit) -> ViewAnswer:
    form = visit.form
    body: dict[str, Any] = {"name": form.text("name"), "role": form.text("role")}
    days = form.text("days")
    problems: Problems = {}
    if days:
        # The length first: C{int} refuses more than 4300 digits.
        if days.isdecimal() and len(days) < 5 and 0 < int(days) <= MOST_DAYS:
            body["duration_minutes"] = int(days) * 24 * 60
        else:
            problems["days"] = f"Expected a number of days, {MOST_DAYS} at most."
    if not body["name"]:
        problems["name"] = "An admin needs a name."
    if not problems:
        try:
            made = (await visit.api.ask("POST", "/admins", body=body, key=form.text("key"))).value
            return Page("admin-created.html", {"made": made})
        except ApiError as error:
            problems = problems_of(error, ("name", "role", "duration_minutes"))
    return Page("admin-form.html", {"values": form.shown(), "problems": problems, "roles": ROLES}, 400)


async def confirm_revoke(visit: Visit) -> ViewAnswer:
    admin = (await visit.api.ask("GET", f"/admins/{segment(visit.names['admin_id'])}")).value
    return Page("admin-revoke.html", {"admin": admin})


async def revoke(visit: Visit) -> ViewAnswer:
    await visit.api.ask("DELETE", f"/admins/{segment(visit.names['admin_id'])}")
    return Redirect("/settings", "The admin has been revoked.")


ROUTES = (
    Route("GET", "/settings", show, "config.read"),
    Route("POST", "/settings/reload", reload, "config.reload"),
    Route("GET", "/settings/check", paste, "config.reload"),
    Route("POST", "/settings/check", check, "config.reload"),
    Route("GET", "/settings/admins/new", new_admin, "admin.write"),
    Route("POST", "/settings/admins/new", create_admin, "admin.write"),
    Route("GET", "/settings/admins/{admin_id}/revoke", confirm_revoke, "admin.write"),
    Route("POST", "/settings/admins/{admin_id}/revoke", revoke, "admin.write"),
)
NAVIGATION = (Entry("Settings", "/settings", "config.read", 100),)
