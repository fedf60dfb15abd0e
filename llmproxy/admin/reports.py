"""Reports of usage in pages: what a span had, as charts and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .backend import ApiError
from .spans import Span, drawn, since_of
from .visit import Visit

Report = Mapping[str, Any]


async def report(visit: Visit, span: Span, path: str = "/usage", **query: str) -> Report | None:
    """
    The sums of a span; C{None} where no usage is kept.

    @param path: of the API: all of it, or C{/projects/…/usage}.
    @param query: C{group_by} and so on.
    """
    asked = {"from": since_of(span, visit.now, visit.forms.zone), "tz": visit.reader.zone, **query}
    try:
        found: Report = (await visit.api.ask("GET", path, query=asked)).value
    except ApiError as error:
        if error.status == 503 and "no usage is kept" in str(error):
            return None
        raise
    return found


def charts(visit: Visit, span: Span, found: Report) -> dict[str, Any]:
    """What the charts of requests and of spend show of a report that is grouped by the periods of its span."""
    rows, zone = found["data"], visit.forms.zone
    counts = {"answered": lambda row: row["requests"] - row["errors"], "failed": lambda row: row["errors"]}
    begun, requests = drawn(rows, span, visit.now, zone, counts)
    _, spend = drawn(rows, span, visit.now, zone, {"spend": lambda row: float(row["cost"])})
    return {
        "ticks": [visit.forms.tick(at, span.period) for at in begun],
        "requests": requests,
        "spend": spend,
        "show_number": visit.forms.compact,
        "show_money": visit.forms.money,
    }
