"""Agents that write code: models and settings, group by group."""

from __future__ import annotations

import json
from typing import Any

from ..answers import Page, ViewAnswer
from ..visit import Entry, Route, Visit

EVERYBODY = "*"


async def show(visit: Visit) -> ViewAnswer:
    found = (await visit.api.ask("GET", "/agents")).value
    claude, codex = found.get("claude"), found.get("codex")
    groups = _groups(claude, codex)
    rows = [
        {
            "group": group,
            "models": _first((claude or {}).get("models", []), group),
            "settings": _first((claude or {}).get("settings", []), group),
            "codex": _first((codex or {}).get("models", []), group),
        }
        for group in groups
    ]
    settings = [
        {**each, "text": json.dumps(each["settings"], indent=2, ensure_ascii=False)}
        for each in (claude or {}).get("settings", [])
    ]
    versions = (await visit.api.ask("GET", "/agents/settings/versions", query={"limit": "20"})).value
    context = {
        "versions": versions,
        "claude": claude,
        "codex": codex,
        "sign_in": found.get("sign_in"),
        "rows": rows,
        "settings": settings,
    }
    return Page("agents.html", context)


def _groups(*parts: dict[str, Any] | None) -> list[str]:
    """All that are named, and everybody else last."""
    named = {
        group
        for part in parts
        for entry in [*(part or {}).get("models", []), *(part or {}).get("settings", [])]
        for group in entry["groups"]
    }
    return [*sorted(named - {EVERYBODY}), EVERYBODY] if any(parts) else []


def _first(entries: list[dict[str, Any]], group: str) -> dict[str, Any] | None:
    """What somebody of this group alone gets: the first entry that fits."""
    return next((each for each in entries if EVERYBODY in each["groups"] or group in each["groups"]), None)


ROUTES = (Route("GET", "/agents", show, "config.read"),)
NAVIGATION = (Entry("Agents", "/agents", "config.read", 65),)
