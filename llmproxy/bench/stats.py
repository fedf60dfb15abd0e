"""Figures of a report, from the results of several rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from attrs import asdict, frozen

from .histogram import Histogram
from .values import Result

MILLISECOND = 1e6

PERCENTILES = (50, 75, 90, 95, 99, 99.5, 99.9, 99.99)


@frozen
class Spread:
    """The middle of several rounds, with the least and the greatest: neither is hidden by a mean."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(round(median(values), 4), round(min(values), 4), round(max(values), 4))


def merged(histograms: Sequence[Histogram]) -> Histogram:
    total = Histogram()
    for histogram in histograms:
        total.add(histogram)
    return total


def errors_of(results: Sequence[Result]) -> dict[str, int]:
    total = Result()
    for result in results:
        for kind, count in result.errors.items():
            total.errors[kind] = total.errors.get(kind, 0) + count
    return total.errors


def curve(histogram: Histogram) -> dict[str, float]:
    """Percentiles in milliseconds, for a plot."""
    points = {f"{percent:g}": round(histogram.percentile(percent) / MILLISECOND, 4) for percent in PERCENTILES}
    return {**points, "100": round(histogram.highest / MILLISECOND, 4)}


def rounds_of(results: Sequence[Result], figure: Callable[[Result], float]) -> dict[str, float]:
    return asdict(spread([figure(result) for result in results]))


def at_percentile(percent: float, which: str = "latency") -> Callable[[Result], float]:
    """Milliseconds of that percentile of a result's C{latency}, C{late} or C{delay}."""

    def figure(result: Result) -> float:
        histogram: Histogram = getattr(result, which)
        return histogram.percentile(percent) / MILLISECOND

    return figure


def cpu_per_request(result: Result) -> float:
    """Microseconds of processor time that the target's processes used for one answer."""
    return result.cpu / result.completed * 1e6 if result.completed else 0.0


def cpu_per_event(result: Result) -> float:
    return result.cpu / result.events * 1e6 if result.events else 0.0


def tool_share(result: Result) -> float:
    """How much of one core the busiest load process used: near 1, it was itself the limit."""
    return result.tool_cpu / result.seconds if result.seconds else 0.0


def events_per_second(result: Result) -> float:
    return result.events / result.seconds if result.seconds else 0.0


def load_figures(results: Sequence[Result], watched: bool) -> dict[str, Any]:
    """The rounds of one target under a closed or an open loop."""
    figures: dict[str, Any] = {
        "requests_per_second": rounds_of(results, lambda result: result.per_second),
        "p50_ms": rounds_of(results, at_percentile(50)),
        "p99_ms": rounds_of(results, at_percentile(99)),
        "curve_ms": curve(merged([result.latency for result in results])),
        "completed": sum(result.completed for result in results),
        "unfinished": sum(result.unfinished for result in results),
        "cache_hits": sum(result.hits for result in results),
        "reconnects": sum(result.reconnects for result in results),
        "tool_share": rounds_of(results, tool_share),
        "errors": errors_of(results),
    }
    if watched:
        figures["cpu_us_per_request"] = rounds_of(results, cpu_per_request)
        figures["memory_mib"] = memory(results)
    return figures


def stream_figures(results: Sequence[Result], watched: bool) -> dict[str, Any]:
    """The rounds of one target under held streams."""
    figures: dict[str, Any] = {
        "streams_held": rounds_of(results, lambda result: float(result.held)),
        "events_per_second": rounds_of(results, events_per_second),
        "first_event_p50_ms": rounds_of(results, at_percentile(50)),
        "first_event_p99_ms": rounds_of(results, at_percentile(99)),
        "delay_p50_ms": rounds_of(results, at_percentile(50, "delay")),
        "delay_p99_ms": rounds_of(results, at_percentile(99, "delay")),
        "curve_ms": curve(merged([result.delay for result in results])),
        "events_lost": sum(result.lost for result in results),
        "tool_share": rounds_of(results, tool_share),
        "errors": errors_of(results),
    }
    if watched:
        figures["cpu_us_per_event"] = rounds_of(results, cpu_per_event)
        figures["memory_mib"] = memory(results)
    return figures


def kib_per_stream(result: Result) -> float:
    """Of the watched processes, from before the streams were opened to when all were held."""
    idle, loaded, _after = result.memory
    return (loaded - idle) / 1024 / result.held if result.held else 0.0


def memory(results: Sequence[Result]) -> dict[str, float]:
    """Idle is before the first round, after is after the last."""
    mib = 1 << 20
    return {
        "idle": round(results[0].memory[0] / mib, 2),
        "loaded": round(max(result.memory[1] for result in results) / mib, 2),
        "after": round(results[-1].memory[2] / mib, 2),
    }


def added(direct: Sequence[Result], proxied: Sequence[Result], figure: Callable[[Result], float]) -> dict[str, float]:
    """
    What going through a proxy adds, round by round, so that a slow minute of the machine falls out.

    A round that was interrupted has one side only, and is left out.
    """
    pairs = zip(direct, proxied, strict=False)
    return asdict(spread([figure(through) - figure(beside) for beside, through in pairs] or [0.0]))


def ratio(some: Sequence[Result], others: Sequence[Result]) -> dict[str, float]:
    """Requests a second of one target over another's, round by round."""
    pairs = [(one.per_second, other.per_second) for one, other in zip(some, others, strict=False)]
    return asdict(spread([one / other for one, other in pairs if other] or [0.0]))
