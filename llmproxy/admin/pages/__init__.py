"""The pages, a module for each thing that they show, with its C{ROUTES} and its lines in the C{NAVIGATION}."""

from __future__ import annotations

from ..visit import Entry, Route
from . import (
    agents,
    audit,
    cache,
    display,
    events,
    exchanges,
    live,
    overview,
    people,
    projects,
    sessions,
    settings,
    tokens,
    upstreams,
    usage,
)

MODULES = (
    overview,
    projects,
    tokens,
    people,
    usage,
    exchanges,
    upstreams,
    agents,
    cache,
    events,
    audit,
    settings,
    display,
    sessions,
    live,
)


def routes() -> list[Route]:
    """The routes of all pages."""
    return [route for module in MODULES for route in module.ROUTES]


def navigation() -> list[Entry]:
    """The lines of the navigation."""
    return [entry for module in MODULES for entry in module.NAVIGATION]
