"""People who sign in by an identity provider: a list, and one of them with devices, limits and usage."""

from __future__ import annotations

from typing import Any

from ..answers import Page, Redirect, ViewAnswer
from ..backend import segment
from ..lists import listing
from ..visit import Entry, Route, Visit
from .projects import limits_of, usage_of

STATES = {"in": "false", "out": "true"}
"""Filters by what the address says, as the API has them."""


async def show_list(visit: Visit) -> ViewAnswer:
    search, state = visit.query.get("search", ""), visit.query.get("state", "")
    filters = {"q": search, "is_revoked": STATES.get(state, "")}
    found = await listing(visit, "/people", filters)
    context = {"list": found, "is_filtered": any(filters.values()), "search": search, "state": state}
    return Page("people.html", context)


async def show(visit: Visit) -> ViewAnswer:
    person, devices, usage = await visit.api.gather(
        _person(visit),
        visit.api.ask("GET", f"{_path(visit)}/devices"),
        usage_of(visit, f"{_path(visit)}/usage", "model,session"),
    )
    context = {
        "person": person,
        "limits": limits_of(person),
        "devices": devices.value,
        "may_change": _may_change(visit, person),
        **usage,
    }
    return Page("person.html", context)


async def ask_before(visit: Visit) -> ViewAnswer:
    """What follows is said before it is done."""
    what = visit.path.rpartition("/")[2]
    return Page("person-sure.html", {"person": await _person(visit), "what": what})


async def revoke(visit: Visit) -> ViewAnswer:
    person = (await visit.api.ask("POST", f"{_path(visit)}/revoke")).value
    return Redirect(_path(visit), f"{called(person)} is shut out.")


async def reinstate(visit: Visit) -> ViewAnswer:
    person = (await visit.api.ask("POST", f"{_path(visit)}/reinstate")).value
    return Redirect(_path(visit), f"{called(person)} may sign in again.")


async def reset_budget(visit: Visit) -> ViewAnswer:
    await visit.api.ask("POST", f"{_path(visit)}/budget/reset")
    return Redirect(_path(visit), "The budget begins anew.")


async def end_device(visit: Visit) -> ViewAnswer:
    await visit.api.ask("DELETE", f"{_path(visit)}/devices/{segment(visit.form.text('device'))}")
    return Redirect(_path(visit), "The device is let in no longer.")


async def delete(visit: Visit) -> ViewAnswer:
    await visit.api.ask("DELETE", _path(visit))
    return Redirect("/people", "The person is forgotten.")


def called(person: dict[str, Any]) -> str:
    """What a person is called."""
    return str(person["name"] or person["email"] or person["subject"])


def _may_change(visit: Visit, person: dict[str, Any]) -> bool:
    return visit.who.may("person.write") and (person["role"] is None or visit.who.may("admin.write"))


async def _person(visit: Visit) -> dict[str, Any]:
    person: dict[str, Any] = (await visit.api.ask("GET", _path(visit))).value
    return {**person, "called": called(person)}


def _path(visit: Visit) -> str:
    return f"/people/{segment(visit.names['person_id'])}"


_ONE = "/people/{person_id}"

ROUTES = (
    Route("GET", "/people", show_list, "person.read"),
    Route("GET", _ONE, show, "person.read"),
    Route("GET", f"{_ONE}/revoke", ask_before, "person.write"),
    Route("GET", f"{_ONE}/delete", ask_before, "person.data"),
    Route("POST", f"{_ONE}/revoke", revoke, "person.write"),
    Route("POST", f"{_ONE}/reinstate", reinstate, "person.write"),
    Route("POST", f"{_ONE}/reset-budget", reset_budget, "person.write"),
    Route("POST", f"{_ONE}/end-device", end_device, "person.write"),
    Route("POST", f"{_ONE}/delete", delete, "person.data"),
)
NAVIGATION = (Entry("People", "/people", "person.read", 35),)
