"""
Charts as SVG, made on the server: bars that stack, lines, and how much of something is used.

Each has a table behind it with the same numbers, for those who cannot see it and those who want to copy them. Colours
are classes of C{admin.css}: nothing here is a style, which the content security policy would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, log10

from markupsafe import Markup

WIDTH, HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 30, 10, 24
_COLOURS = 8
_MOST_TICKS = 8
_NARROWEST_GAP = 1

Series = Sequence[tuple[str, Sequence[float]]]
"""Names, and as many values as there are ticks."""

Show = Callable[[float], str]


def top_of(largest: float) -> float:
    """The end of an axis: 1, 2, 2.5 or 5 times a power of ten, no less than the largest value."""
    if largest <= 0:
        return 1.0
    power: float = 10.0 ** floor(log10(largest))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if largest <= step * power * (1 + 1e-9))


def bars(caption: str, ticks: Sequence[str], series: Series, show: Show = str) -> Markup:
    """
    Bars, those of one tick on top of each other.

    @param caption: what it shows, in a few words.
    @param ticks: what stands below each bar.
    @param show: writes a value.
    """
    totals = [sum(values[at] for _, values in series) for at in range(len(ticks))]
    top = top_of(max(totals, default=0.0))
    inner, step = _inner(), (WIDTH - _LEFT - _RIGHT) / max(1, len(ticks))
    gap = max(_NARROWEST_GAP, step * 0.2)
    parts = []
    for at, tick in enumerate(ticks):
        low = 0.0
        for number, (name, values) in enumerate(series):
            value = values[at]
            if value > 0:
                height = value / top * inner
                parts.append(
                    Markup('<rect class="s{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                        number % _COLOURS,
                        _short(_LEFT + at * step + gap / 2),
                        _short(_TOP + inner - low - height),
                        _short(max(1.0, step - gap)),
                        _short(height),
                        _words(tick, name, show(value), len(series)),
                    )
                )
                low += height
    return _figure(caption, ticks, series, show, top, parts)


def lines(caption: str, ticks: Sequence[str], series: Series, show: Show = str) -> Markup:
    """Lines, one for each of C{series}; parameters as of L{bars}."""
    top = top_of(max((value for _, values in series for value in values), default=0.0))
    inner, step = _inner(), (WIDTH - _LEFT - _RIGHT) / max(1, len(ticks))
    parts = []
    for number, (name, values) in enumerate(series):
        points = [
            (_LEFT + (at + 0.5) * step, _TOP + inner - value / top * inner, value) for at, value in enumerate(values)
        ]
        path = " ".join(f"{_short(x)},{_short(y)}" for x, y, _ in points)
        parts.append(Markup('<polyline class="l{}" points="{}"/>').format(number % _COLOURS, path))
        for (x, y, value), tick in zip(points, ticks, strict=True):
            parts.append(
                Markup('<circle class="s{}" cx="{}" cy="{}" r="2.5"><title>{}</title></circle>').format(
                    number % _COLOURS, _short(x), _short(y), _words(tick, name, show(value), len(series))
                )
            )
    return _figure(caption, ticks, series, show, top, parts)


def meter(used: float, limit: float, label: str) -> Markup:
    """
    How much of a limit is used, as a bar.

    @param label: the same in words.
    """
    share = 1.0 if limit <= 0 else min(1.0, max(0.0, used / limit))
    level = "full" if share >= 1.0 else "high" if share >= 0.8 else "fine"
    return Markup(
        '<svg class="meter {}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="rest" width="100" height="8"/><rect class="used" width="{}" height="8"/></svg>'
    ).format(level, label, _short(share * 100))


def _figure(
    caption: str, ticks: Sequence[str], series: Series, show: Show, top: float, parts: Sequence[Markup]
) -> Markup:
    body = Markup("").join([*_axis(top, show), *parts, *_labels(ticks)])
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>{}{}</figure>'
    ).format(caption, WIDTH, HEIGHT, caption, body, _legend(series), _table(caption, ticks, series, show))


def _axis(top: float, show: Show) -> list[Markup]:
    found = []
    for quarter in range(5):
        y = _short(_TOP + _inner() * (1 - quarter / 4))
        found.append(Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_LEFT, WIDTH - _RIGHT, y, y))
        if quarter % 2 == 0:
            found.append(
                Markup('<text class="axis low" x="{}" y="{}" text-anchor="end">{}</text>').format(
                    _LEFT - 6, y, show(top * quarter / 4)
                )
            )
    return found


def _labels(ticks: Sequence[str]) -> list[Markup]:
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(ticks))
    every = max(1, ceil(len(ticks) / _MOST_TICKS))
    return [
        # Every second one is left out where a chart is so narrow that its words are written larger.
        Markup('<text class="axis{}" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            " second" if at // every % 2 else "", _short(_LEFT + (at + 0.5) * step), HEIGHT - 6, tick
        )
        for at, tick in enumerate(ticks)
        if at % every == 0
    ]


def _legend(series: Series) -> Markup:
    if len(series) < 2:
        return Markup("")
    mark = Markup('<svg viewBox="0 0 10 10" aria-hidden="true"><rect class="s{}" width="10" height="10"/></svg>')
    items = Markup("").join(
        Markup("<li>{}{}</li>").format(mark.format(number % _COLOURS), name) for number, (name, _) in enumerate(series)
    )
    return Markup('<ul class="legend">{}</ul>').format(items)


def _table(caption: str, ticks: Sequence[str], series: Series, show: Show) -> Markup:
    heads = Markup("").join(Markup('<th scope="col" class="num">{}</th>').format(name) for name, _ in series)
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            tick,
            Markup("").join(Markup('<td class="num">{}</td>').format(show(values[at])) for _, values in series),
        )
        for at, tick in enumerate(ticks)
    )
    return Markup(
        '<details class="behind"><summary>As a table</summary><div class="scroll" tabindex="0" role="region" '
        'aria-label="{}"><table><thead><tr><th scope="col">Period</th>{}</tr></thead><tbody>{}</tbody></table></div>'
        "</details>"
    ).format(caption, heads, rows)


def _inner() -> float:
    return HEIGHT - _TOP - _BOTTOM


def _words(tick: str, name: str, value: str, count: int) -> str:
    return f"{tick}: {value}" if count < 2 else f"{tick}, {name}: {value}"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
