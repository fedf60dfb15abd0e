"""Latency by percentile: bars for a terminal, lines for an SVG; both on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

Curve = Mapping[str, float]
"""Milliseconds by percentile, C{"99.9"}."""

BARS = 44
"""Characters of the longest bar."""

COLOURS = ("#5f6b7a", "#c2410c", "#1d4ed8", "#047857")

LEAST = 0.001
"""Milliseconds that are drawn as nothing: a logarithm has no zero."""


class Plot(NamedTuple):
    """One set of axes."""

    title: str
    curves: dict[str, Curve]


def plots(report: Mapping[str, Any]) -> list[Plot]:
    """What a report has to draw: requests, at the fixed rate if there was one, and the events of streams."""
    found = []
    if "open" in report:
        found.append(_plot(f"latency at {report['open']['rate']:,.0f} requests/s, ms", report["open"]))
    elif "closed" in report:
        found.append(_plot("latency in the closed loop, ms", report["closed"]))
    if "streams" in report:
        found.append(_plot("delay of an event, ms", report["streams"]))
    return [plot for plot in found if any(value for curve in plot.curves.values() for value in curve.values())]


def _plot(title: str, kind: Mapping[str, Any]) -> Plot:
    return Plot(title, {name: figures["curve_ms"] for name, figures in kind["targets"].items()})


class Scale:
    """Whole decades around some values."""

    def __init__(self, values: Sequence[float]) -> None:
        positive = [value for value in values if value > LEAST] or [1.0]
        self.low = math.floor(math.log10(min(positive)))
        self.high = max(math.ceil(math.log10(max(positive))), self.low + 1)

    def share(self, value: float) -> float:
        """Where between the ends, 0 to 1."""
        if value <= LEAST:
            return 0.0
        return min(1.0, max(0.0, (math.log10(value) - self.low) / (self.high - self.low)))

    @property
    def decades(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def _scale(plot: Plot) -> Scale:
    return Scale([value for curve in plot.curves.values() for value in curve.values()])


def bars(plot: Plot) -> Iterator[str]:
    """Lines of text."""
    scale = _scale(plot)
    width = max(len(name) for name in plot.curves)
    yield f"{plot.title} (logarithmic from {scale.decades[0]:g})"
    for percent in ("50", "90", "99", "99.9", "100"):
        label = f"p{percent}" if percent != "100" else "max"
        for name, curve in plot.curves.items():
            drawn = "█" * max(1, round(scale.share(curve[percent]) * BARS))
            yield f"{label:>6} {name:<{width}} {drawn:<{BARS}} {curve[percent]:,.2f}"
            label = ""


WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 46, 46


def svg(drawn: Sequence[Plot]) -> str:
    """A document of its own, one set of axes below the other."""
    height = HEIGHT * max(1, len(drawn))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for at, plot in enumerate(drawn):
        parts.append(f'<g transform="translate(0 {at * HEIGHT})">')
        parts += _axes(plot)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _axes(plot: Plot) -> Iterator[str]:
    scale = _scale(plot)
    percents = list(next(iter(plot.curves.values())))
    yield f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(plot.title)}</text>'
    for value in scale.decades:
        y = _y(scale, value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    for at, percent in enumerate(percents):
        label = f"p{percent}" if percent != "100" else "max"
        yield f'<text x="{_x(at, len(percents))}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{label}</text>'
    for at, (name, curve) in enumerate(plot.curves.items()):
        yield from _line(name, [curve[percent] for percent in percents], scale, at)


def _line(name: str, values: Sequence[float], scale: Scale, number: int) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    points = " ".join(f"{_x(at, len(values))},{_y(scale, value)}" for at, value in enumerate(values))
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
    x = LEFT + number * 150
    yield f'<rect x="{x}" y="28" width="10" height="10" fill="{colour}"/>'
    yield f'<text x="{x + 15}" y="37">{escape(name)}</text>'


def _x(at: int, count: int) -> float:
    return round(LEFT + 20 + at * (WIDTH - LEFT - RIGHT - 40) / max(1, count - 1), 1)


def _y(scale: Scale, value: float) -> float:
    return round(HEIGHT - BOTTOM - scale.share(value) * (HEIGHT - TOP - BOTTOM), 1)
