"""Spans of time that pages show, and the periods that they are drawn in, those too in which nothing happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any

from attrs import frozen

from ..core.reportperiods import begins, ends, label, moment_of

_MOST = 800
"""Periods of one chart."""


@frozen
class Span:
    """
    @ivar name: as the address has it.
    @ivar words: for people.
    @ivar period: what it is drawn in, C{hour}, C{day} or C{month}.
    """

    name: str
    words: str
    period: str


SPANS = (
    Span("24h", "last 24 hours", "hour"),
    Span("7d", "last 7 days", "day"),
    Span("30d", "last 30 days", "day"),
    Span("1y", "last year", "month"),
)


def span_of(name: str) -> Span:
    """The span of this name, the first of L{SPANS} for any other."""
    return next((each for each in SPANS if each.name == name), SPANS[0])


def periods(span: Span, now: float, zone: tzinfo) -> list[tuple[str, float]]:
    """The periods of a span up to now: as a report labels them, and when each begins."""
    at = begins(span.period, moment_of(span.name, now, zone), zone)
    found: list[tuple[str, float]] = []
    while at <= now and len(found) < _MOST:
        found.append((label(span.period, at, zone), at))
        at = ends(span.period, at, zone)
    return found


def since_of(span: Span, now: float, zone: tzinfo) -> str:
    """When the first period begins, as the API takes it: a first bar of a part of a period would mislead."""
    begun = begins(span.period, moment_of(span.name, now, zone), zone)
    return datetime.fromtimestamp(begun, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def drawn(
    rows: Iterable[Mapping[str, Any]],
    span: Span,
    now: float,
    zone: tzinfo,
    values: Mapping[str, Callable[[Mapping[str, Any]], float]],
) -> tuple[list[float], list[tuple[str, Sequence[float]]]]:
    """
    What a chart shows of a report that is grouped by the periods of a span: when each begins, and a series for each of
    C{values}.
    """
    by_label = {str(row[span.period]): row for row in rows}
    found = periods(span, now, zone)
    series: list[tuple[str, Sequence[float]]] = [
        (name, [value(by_label[text]) if text in by_label else 0.0 for text, _ in found])
        for name, value in values.items()
    ]
    return [at for _, at in found], series
