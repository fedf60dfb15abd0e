"""The screen of C{llmproxy top}: lines that fit a terminal, made of what is known and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from attrs import frozen

from ..core.watching import Watched
from .output import printable

LEAST_WIDTH, LEAST_HEIGHT = 20, 4

LISTED = 500
"""Exchanges that a proxy lists, of which it knows how many stream."""

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*#@"

SORTS = ("age", "out", "model", "api")


@frozen
class View:
    """
    How it is to be shown.

    @ivar address: of the proxy.
    @ivar time: of the day, C{"23:59:58"}.
    @ivar sort: one of L{SORTS}.
    @ivar paused: what is shown stays as it is.
    @ivar trouble: why nothing comes; C{""} if it does.
    @ivar colours: whether the terminal has them.
    @ivar unicode: whether it has more letters than ASCII.
    @ivar keys: whether keys are heard.
    """

    address: str
    time: str
    sort: str = "age"
    paused: bool = False
    trouble: str = ""
    colours: bool = True
    unicode: bool = True
    keys: bool = True


@frozen
class _Column:
    """
    @ivar weight: which goes first where the terminal is narrow: the highest.
    @ivar right: a number.
    """

    name: str
    weight: int
    cell: Callable[[Mapping[str, Any]], str]
    right: bool = False
    most: int = 24


def lines(watched: Watched, view: View, now: float, width: int, height: int | None) -> list[str]:
    """
    The screen.

    @param now: seconds of the clock that L{Watched} heard with.
    @param height: rows of the terminal; C{None} for as many as it takes.
    """
    width = max(width, LEAST_WIDTH)
    shown = [*_head(watched, view, now, width)]
    parts = [_upstreams(watched, now, width, view), _exchanges(watched, now, width, view)]
    if height is None:
        return [*shown, *parts[0], *parts[1]]
    height = max(height, LEAST_HEIGHT)
    left = height - len(shown)
    if left < 3:
        return shown[:height]
    # Upstreams get what they need, up to half; exchanges the rest.
    first = parts[0] if len(parts[1]) + len(parts[0]) <= left else parts[0][: max(left // 2, left - len(parts[1]))]
    return [*shown, *first, *parts[1]][:height]


def _head(watched: Watched, view: View, now: float, width: int) -> Iterator[str]:
    state = "paused" if view.paused else ""
    title = f"llmproxy top  {view.address}  {view.time}"
    yield _styled(_fit(f"{title}  {state}".rstrip(), width), view, bold=True)
    if view.trouble:
        yield _styled(_fit(view.trouble, width), view, fg="red", bold=True)
    numbers, rates = watched.numbers, watched.rates(now)
    if not numbers:
        yield _fit("waiting for the first numbers" if not view.trouble else "", width)
        return

    def rate(name: str, digits: int = 1) -> str:
        return "-" if rates is None else number(getattr(rates, name), digits)

    more = "+" if watched.running > LISTED else ""
    streams = "-" if watched.exchanges is None else f"{watched.streams}{more}"
    spend = "-" if rates is None else money(rates.cost * 3600)
    yield from _flow(
        (
            f"running {numbers.get('in_flight', '-')}",
            f"streams {streams}",
            f"requests/s {rate('requests')}",
            f"errors/s {rate('errors', 2)}",
            f"cache hits/s {rate('cache_hits')}",
            f"tokens/s {rate('tokens', 0)}",
            f"spend/h {spend}",
        ),
        width,
    )
    yield from _flow(
        (
            "since the start:",
            f"{number(_float(numbers.get('requests')), 0)} requests",
            f"{number(_float(numbers.get('errors')), 0)} errors",
            f"{number(_float(numbers.get('tokens')), 0)} tokens",
            money(_float(numbers.get("cost"))),
            f"whole p50 {seconds(numbers.get('latency_p50'))} p95 {seconds(numbers.get('latency_p95'))}",
            f"first token p50 {seconds(numbers.get('first_token_p50'))} p95 {seconds(numbers.get('first_token_p95'))}",
        ),
        width,
    )
    if len(watched.history) > 1 and any(watched.history):
        bars = sparkline(list(watched.history), width - len("tokens/s "), BARS if view.unicode else ASCII_BARS)
        yield _styled(f"tokens/s {bars}", view, fg="cyan")
    if view.keys:
        keys = f"q quit  p {'go on' if view.paused else 'pause'}  s sort: {view.sort}"
        yield _styled(_fit(keys, width), view, dim=True)


def _upstreams(watched: Watched, now: float, width: int, view: View) -> list[str]:
    if watched.upstreams is None:
        return []
    columns = (
        _Column("API", 0, lambda each: _text(each.get("api")), most=20),
        _Column("UPSTREAM", 3, lambda each: _text(each.get("upstream")), most=20),
        _Column("HEALTH", 1, lambda each: _text(each.get("health"))),
        _Column("RUNNING", 4, lambda each: _count(each.get("in_flight")), True),
        _Column("REQ/S", 2, lambda each: _rate(watched.rate_of(each, now)), True),
        _Column("FAILED", 5, lambda each: _count(each.get("failed")), True),
        _Column("LATENCY", 6, lambda each: seconds(each.get("latency")), True),
        _Column("OPEN", 7, lambda each: _count(_open(each)), True),
        _Column("KEYS ASIDE", 8, lambda each: _count(each.get("keys_aside")), True),
    )
    rows = _table(columns, watched.upstreams, width)
    styles: list[Mapping[str, Any]] = [
        {} if each.get("health") in ("well", None) and not _open(each) else {"fg": "yellow"}
        for each in watched.upstreams
    ]
    return _styled_table("", rows, styles, view)


def _exchanges(watched: Watched, now: float, width: int, view: View) -> list[str]:
    if watched.exchanges is None:
        return []
    aged = [{**each, "age": age} for age, each in watched.ages(now)]
    aged.sort(key=_KEYS[view.sort])
    columns = (
        _Column("AGE", 0, lambda each: seconds(each["age"]), True),
        _Column("API", 2, lambda each: _text(each.get("api")), most=16),
        _Column("UPSTREAM", 8, lambda each: _text(each.get("upstream")), most=16),
        _Column("MODEL", 1, lambda each: _text(each.get("model")), most=28),
        _Column("ENDPOINT", 6, lambda each: f"{_text(each.get('method'))} {_text(each.get('endpoint'))}", most=28),
        _Column("STATUS", 3, _status),
        _Column("OUT", 4, lambda each: size(each.get("bytes_out")), True),
        _Column("IN", 7, lambda each: size(each.get("bytes_in")), True),
        _Column("CLIENT", 5, lambda each: _text(each.get("client")), most=39),
        _Column("TOKEN", 9, lambda each: _text(each.get("token_id")), most=36),
    )
    rows = _table(columns, aged, width)
    title = f"{watched.running} running" + (
        f", {len(aged)} of them here" if watched.running > len(aged) else "" if aged else ": nothing now"
    )
    return _styled_table(title, rows if aged else [], [{}] * len(aged), view)


_KEYS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "age": lambda each: -each["age"],
    "out": lambda each: -_float(each.get("bytes_out")),
    "model": lambda each: (str(each.get("model")), -each["age"]),
    "api": lambda each: (str(each.get("api")), -each["age"]),
}


def _status(each: Mapping[str, Any]) -> str:
    status = each.get("status")
    return "waits" if status is None else f"{_text(status)}{' stream' if each.get('streamed') else ''}"


def _open(each: Mapping[str, Any]) -> int:
    circuits = each.get("circuits")
    return int(_float(circuits.get("open")) + _float(circuits.get("half_open"))) if isinstance(circuits, dict) else 0


def _table(columns: Sequence[_Column], rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Names and rows, of those columns that there is room for."""
    cells = [[column.cell(each) for column in columns] for each in rows]
    widths = [
        min(column.most, max([cell_length(column.name), *(cell_length(row[at]) for row in cells)]))
        for at, column in enumerate(columns)
    ]
    kept: set[int] = set()
    used = -2
    for at in sorted(range(len(columns)), key=lambda at: columns[at].weight):
        if used + widths[at] + 2 > width and kept:
            break
        kept.add(at)
        used += widths[at] + 2
    shown = [[column.name for column in columns], *cells]
    return [
        _fit("  ".join(_padded(row[at], widths[at], columns[at].right) for at in sorted(kept)), width) for row in shown
    ]


def _styled_table(title: str, rows: list[str], styles: Sequence[Mapping[str, Any]], view: View) -> list[str]:
    found = [""]
    if title:
        found.append(_styled(title, view, bold=True))
    if rows:
        found.append(_styled(rows[0], view, dim=True))
        found += [_styled(row, view, **style) for row, style in zip(rows[1:], styles, strict=True)]
    return found


def _styled(text: str, view: View, **style: Any) -> str:
    return click.style(text, **style) if view.colours and style and text else text


def _flow(words: Iterable[str], width: int) -> Iterator[str]:
    """Words that belong together, on as many lines as they need."""
    line = ""
    for word in words:
        joined = f"{line}  {word}" if line else word
        if cell_length(joined) > width and line:
            yield _fit(line, width)
            joined = word
        line = joined
    yield _fit(line, width)


def cell_length(text: str) -> int:
    """Columns of a terminal that a text takes: some letters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _fit(text: str, width: int) -> str:
    """A text that takes no more columns; what is cut off is nobody's secret."""
    if cell_length(text) <= width:
        return text.rstrip()
    from rich.cells import set_cell_size

    return set_cell_size(text, width).rstrip()


def _padded(text: str, width: int, right: bool) -> str:
    text = _fit(text, width)
    space = " " * (width - cell_length(text))
    return space + text if right else text + space


def sparkline(values: Sequence[float], width: int, bars: str = BARS) -> str:
    """The newest values as a line of bars, of which the highest is the highest value."""
    shown = values[-max(1, width) :]
    most = max(shown, default=0.0)
    if most <= 0:
        return bars[0] * len(shown)
    return "".join(bars[min(len(bars) - 1, int(value / most * (len(bars) - 1) + 0.5))] for value in shown)


def number(value: float, digits: int = 1) -> str:
    """C{1234567} as C{1.23M}."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if letter == 'k' else unit):.3g}{letter}"
    return f"{value:.{digits}f}"


def money(value: float) -> str:
    """USD."""
    return f"${value:,.2f}" if value >= 0.1 or value <= 0 else f"${value:.4f}"


def seconds(value: Any) -> str:
    """C{0.25} as C{250ms}, C{3700} as C{1h02m}."""
    if value is None:
        return "-"
    span = _float(value)
    if span < 1:
        return f"{span * 1000:.0f}ms"
    if span < 60:
        return f"{span:.1f}s"
    minutes, rest = divmod(int(span), 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def size(value: Any) -> str:
    """Bytes."""
    count = _float(value)
    for unit, letter in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")):
        if count >= unit:
            return f"{count / unit:.1f}{letter}"
    return f"{count:.0f}"


def _count(value: Any) -> str:
    return "-" if value is None else number(_float(value), 0)


def _rate(value: float | None) -> str:
    return "-" if value is None else number(value)


def _text(value: Any) -> str:
    return "-" if value in (None, "") else printable(str(value))


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
