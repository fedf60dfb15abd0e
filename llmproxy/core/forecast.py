"""The forecast of a month's cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from attrs import frozen

from .reportperiods import begins, ends, label

DAYS = 7
"""Of the last days, today included, is the rate: a week has working days and others."""

_LEAST = 3600.0
"""Seconds that a rate is of at least: one of a few minutes says nothing."""

_STEP = Decimal("0.000001")


@frozen
class Forecast:
    """
    USD of a calendar month, at the rate of the last L{DAYS} days (of fewer, where nothing was used before them).

    @ivar month: C{2026-11}.
    @ivar so_far: what it has cost until now, exact.
    @ivar expected: C{so_far}, and the rate for what is left of the month; to a millionth.
    @ivar per_day: the rate, for 24 hours.
    @ivar days: that the rate is of.
    @ivar last_month: what the one before has cost, exact.
    """

    month: str
    so_far: Decimal
    expected: Decimal
    per_day: Decimal
    days: float
    last_month: Decimal


def since(now: float, zone: tzinfo) -> float:
    """From when on costs by day are needed for a forecast: the begin of last month, seconds since the epoch."""
    return begins("month", begins("month", now, zone) - 1, zone)


def forecast(costs: Mapping[str, Decimal], now: float, zone: tzinfo) -> Forecast:
    """
    @param costs: USD by day, as L{label} writes it, of all days from L{since} on with any use.
    """
    month = label("month", now, zone)
    last = label("month", begins("month", now, zone) - 1, zone)
    so_far = sum((cost for day, cost in costs.items() if day.startswith(month)), Decimal(0))
    last_month = sum((cost for day, cost in costs.items() if day.startswith(last)), Decimal(0))
    first, begun = _window(costs, now, zone)
    spent = sum((cost for day, cost in costs.items() if day >= first), Decimal(0))
    span = max(now - begun, _LEAST)
    per_second = spent / Decimal(span)
    left = Decimal(ends("month", now, zone) - now)
    return Forecast(
        month,
        so_far,
        so_far + (per_second * left).quantize(_STEP),
        (per_second * 86_400).quantize(_STEP),
        round(span / 86_400, 2),
        last_month,
    )


def _window(costs: Mapping[str, Decimal], now: float, zone: tzinfo) -> tuple[str, float]:
    """The first day of the rate, and when it began."""
    noon = datetime.fromtimestamp(now, zone).replace(hour=12, fold=0) - timedelta(days=DAYS - 1)
    for _ in range(DAYS - 1):
        day = label("day", noon.timestamp(), zone)
        if any(each <= day for each in costs):
            break
        noon += timedelta(days=1)
    return label("day", noon.timestamp(), zone), begins("day", noon.timestamp(), zone)
