"""Shapes of reports and records of usage for the document, made of the values that are shown: none is missing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, field

from ...core.forecast import Forecast
from ...core.ledger.entry import Counts, Entry
from ...core.reportgroups import GROUPS
from ...core.reports import UsageSums
from ...management.usageanswers import NAMED, RECORD

Moment = Annotated[datetime, Meta(tz=True)]

Money = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="USD, exact.")]

_SHOWN = {Decimal: Money, bytes | None: Any}
"""By the type of a value, what is shown of it where that is another."""


def _members(what: Any) -> list[tuple[str, Any]]:
    return [(name, _SHOWN.get(kind, kind)) for name, kind in get_type_hints(what).items()]


def _of_record(name: str, kind: Any) -> Any:
    if name in ("started_at", "ended_at"):
        return Moment | None
    if name in ("cost", "cost_saved"):
        return Money | None
    if name == "saved":
        return SavedView | None
    if name == "tried":
        return list[TriedView]  # type: ignore[valid-type]
    return str | None if kind is str and name != "id" else _SHOWN.get(kind, kind)


def _keys(group: str) -> list[tuple[str, Any, Any]]:
    if group in NAMED:
        return [(f"{group}_{each}", str | None | UnsetType, UNSET) for each in ("id", "name")]
    return [(group, (int if group == "status" else str) | None | UnsetType, UNSET)]


SumsView = defstruct("UsageSums", _members(UsageSums))
SumsView.__doc__ = "Sums over exchanges; unknown says of how many nothing is in the sums of tokens."

RowView = defstruct(
    "UsageRow",
    [*_members(UsageSums), *(each for group in GROUPS for each in _keys(group))],
)
RowView.__doc__ = "A group, and its sums. Tags and metadata stand under the names that they were asked for with."

ForecastView = defstruct("UsageForecast", _members(Forecast))
ForecastView.__doc__ = (
    "USD of a calendar month at the rate of the last seven days, of fewer where there are none before."
)

SavedView = defstruct("UsageSaved", _members(Counts))
SavedView.__doc__ = "What an answer from the cache had used when it came."

TriedView = defstruct(
    "UsageAttempt",
    [("upstream", str), ("took", float), ("status", int | UnsetType, UNSET), ("cause", str | UnsetType, UNSET)],
)
TriedView.__doc__ = "One of several attempts: the status of its answer, or why there was none; milliseconds."

UsageRecordView = defstruct(
    "UsageRecord",
    [(name, _of_record(name, kind)) for name, kind in get_type_hints(Entry).items() if name in RECORD],
)
UsageRecordView.__doc__ = "One exchange. What is not known is null, never 0."


class LatencyView(Struct):
    """Seconds, estimated from some exchanges of each part of the span. null: there was none."""

    p50: Annotated[float | None, Meta(description="Half of the answers were whole by then.")]
    p95: Annotated[float | None, Meta(description="95 in 100 were.")]
    first_token_p50: Annotated[float | None, Meta(description="Half of the streams had their first content by then.")]
    first_token_p95: float | None
    sampled: Annotated[int, Meta(description="Exchanges that were looked at.")]


class UsageReport(Struct):
    """What is asked for, the rows that cost most first, or by period. The span is widened to quarters of an hour."""

    since: Annotated[Moment | None, Meta(description="null: from the first record on.")] = field(name="from")
    until: Annotated[Moment | None, Meta(description="null: up to now.")] = field(name="to")
    tz: str
    data: list[RowView]  # type: ignore[valid-type]
    totals: SumsView  # type: ignore[valid-type]
    more: Annotated[int, Meta(description="Rows that are left out; the totals have them.")]
    forecast: ForecastView | UnsetType = UNSET  # type: ignore[valid-type]
    latency: Annotated[
        LatencyView | UnsetType | None,
        Meta(description="null: not known with filters but one project or token."),
    ] = UNSET
