"""A report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Figures = Mapping[str, Any]

Column = tuple[str, Callable[[Figures], str]]


def milliseconds(name: str) -> Callable[[Figures], str]:
    return lambda figures: f"{figures[name]['median']:,.2f}" if name in figures else ""


def number(name: str) -> Callable[[Figures], str]:
    return lambda figures: f"{figures[name]['median']:,.0f}" if name in figures else ""


def errors(figures: Figures) -> str:
    """How many of each kind."""
    if "errors" not in figures:
        return ""
    kinds = {**figures["errors"]}
    for name in ("unfinished", "events_lost"):
        if figures.get(name):
            kinds[name.replace("_", " ")] = figures[name]
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) or "none"


def hits(figures: Figures) -> str:
    return f"{figures['cache_hits']:,}" if figures.get("cache_hits") else ""


LOAD: tuple[Column, ...] = (
    ("requests/s", number("requests_per_second")),
    ("p50 ms", milliseconds("p50_ms")),
    ("p99 ms", milliseconds("p99_ms")),
    ("CPU µs/request", number("cpu_us_per_request")),
    ("cache hits", hits),
    ("errors", errors),
)

STREAMS: tuple[Column, ...] = (
    ("held", number("streams_held")),
    ("events/s", number("events_per_second")),
    ("first p50 ms", milliseconds("first_event_p50_ms")),
    ("first p99 ms", milliseconds("first_event_p99_ms")),
    ("delay p50 ms", milliseconds("delay_p50_ms")),
    ("delay p99 ms", milliseconds("delay_p99_ms")),
    ("CPU µs/event", number("cpu_us_per_event")),
    ("errors", errors),
)


def tables(report: Figures) -> Iterator[RenderableType]:
    """Those for which there is something to show."""
    connections = report["settings"]["connections"]
    if "closed" in report:
        yield _titled(_closed_title(report["settings"]), _by_target(LOAD, report["closed"]))
    if "open" in report:
        title = f"open loop: {report['open']['rate']:,.0f} requests/s due, {connections} connections"
        yield _titled(title, _by_target(LOAD, report["open"]))
    if "bounds" in report:
        yield _titled("requests/s while p99 stays within", _bounds(report["bounds"]))
    if "most_events_per_second" in report:
        yield _titled("the most events/s that arrive in time", _most_events(report["most_events_per_second"]))
    if "streams" in report:
        yield _titled(_streams_title(report["streams"]), _by_target(STREAMS, report["streams"]))
    if "memory_mib" in report:
        yield _titled("memory of the gateway, MiB", _memory(report["memory_mib"]))


def _closed_title(settings: Figures) -> str:
    if settings["requests"]:
        return f"{settings['requests']:,} requests over {settings['connections']} connections"
    return f"closed loop: as many as {settings['connections']} connections carry"


def _streams_title(streams: Figures) -> str:
    offered = streams["offered_events_per_second"]
    memory = f", {streams['kib_per_stream']} KiB of the gateway's memory each" if "kib_per_stream" in streams else ""
    pace = f"{offered:,.0f} events/s offered" if offered else "at the pace of upstream"
    return f"streams: {pace}{memory}"


def _titled(title: str, table: Table) -> RenderableType:
    """A title of the table's own would be broken to its width."""
    return Group(Text(title, style="bold"), table)


def _table(*columns: str) -> Table:
    made = Table()
    for at, column in enumerate(columns):
        made.add_column(column, justify="right" if at else "left")
    return made


def _by_target(columns: tuple[Column, ...], kind: Figures) -> Table:
    """A row for each target, and one for the difference; columns of which nothing is known are left out."""
    rows: list[tuple[str, Figures]] = list(kind["targets"].items())
    if "added" in kind:
        rows.append(("added", kind["added"]))
    shown = [(name, figure) for name, figure in columns if any(figure(figures) for _, figures in rows)]
    made = _table("", *(name for name, _ in shown))
    for name, figures in rows:
        made.add_row(name, *(figure(figures) for _, figure in shown), style="bold" if name == "added" else None)
    return made


def _bounds(bounds: Mapping[str, Mapping[str, float]]) -> Table:
    names = sorted({ms for found in bounds.values() for ms in found}, key=float)
    made = _table("", *(f"{ms} ms" for ms in names))
    for target, found in bounds.items():
        made.add_row(target, *(f"{found[ms]:,.0f}" if ms in found else "" for ms in names))
    return made


def _most_events(most: Mapping[str, float]) -> Table:
    made = _table("", "events/s")
    for target, events in most.items():
        made.add_row(target, f"{events:,.0f}")
    return made


def _memory(memory: Mapping[str, float]) -> Table:
    made = _table(*memory)
    made.columns[0].justify = "right"
    made.add_row(*(f"{value:,.1f}" for value in memory.values()))
    return made
