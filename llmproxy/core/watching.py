"""Rates, and a history of them, of what a proxy says every other second: for C{llmproxy top}."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field, frozen

WINDOW = 10.0
"""Seconds over which rates are taken: a proxy says something every two, if it has changed."""

KEPT = 120
"""Rates that are kept for a line of them."""

COUNTED = ("requests", "errors", "cache_hits", "tokens", "cost")


@frozen
class Rates:
    """A second, lately; C{cost} in USD."""

    requests: float = 0.0
    errors: float = 0.0
    cache_hits: float = 0.0
    tokens: float = 0.0
    cost: float = 0.0


@frozen
class _Sample:
    at: float
    counts: Mapping[str, float]


@define
class Counters:
    """
    Counts that only grow, at some moments.

    @ivar samples: the last one before the window, and those in it.
    """

    samples: deque[_Sample] = field(factory=deque)

    def add(self, at: float, counts: Mapping[str, float]) -> None:
        """Note what is counted by now. What has become less began anew: a process has started again."""
        if self.samples and any(counts.get(name, 0.0) < value for name, value in self.samples[-1].counts.items()):
            self.samples.clear()
        self.samples.append(_Sample(at, dict(counts)))
        self._forget(at)

    def _forget(self, now: float) -> None:
        while len(self.samples) > 1 and self.samples[1].at <= now - WINDOW:
            self.samples.popleft()

    def rates(self, now: float) -> dict[str, float]:
        """
        How much a second, by name. What was not said anew has not changed.

        @return: nothing before there are two moments to compare.
        """
        self._forget(now)
        if not self.samples:
            return {}
        first, last = self.samples[0], self.samples[-1]
        # Of two samples that are long apart, the earlier held until shortly before the later.
        span = min(now - first.at, WINDOW)
        if span < 0.5:
            return {}
        return {name: (value - first.counts.get(name, 0.0)) / span for name, value in last.counts.items()}


@define
class Watched:
    """
    All that is known of a proxy that is watched.

    @ivar numbers: what it said of itself last; empty before it has said anything.
    @ivar exchanges: those that run longest.
    @ivar running: all that run.
    @ivar streams: those that stream, of the 500 that have run the longest.
    @ivar upstreams: rows of all; C{None} where this is not shown to who watches.
    @ivar history: tokens a second, the newest last.
    """

    numbers: dict[str, Any] = field(factory=dict)
    exchanges: list[dict[str, Any]] | None = None
    running: int = 0
    streams: int = 0
    upstreams: list[dict[str, Any]] | None = None
    history: deque[float] = field(factory=lambda: deque(maxlen=KEPT))
    _total: Counters = field(factory=Counters)
    _each: dict[tuple[str, str], Counters] = field(factory=dict)
    _at: float = 0.0

    def hear(self, name: str, said: Any, now: float) -> None:
        """
        Take up an event of the feed; one that nobody here knows, or that is another than it should be, is passed over.

        @param now: seconds of a clock that nobody sets.
        """
        if name == "numbers" and isinstance(said, dict):
            self.numbers, self._at = said, now
            self._total.add(now, {each: _number(said.get(each)) for each in COUNTED})
        elif name == "exchanges" and isinstance(said, dict):
            self.exchanges = [each for each in said.get("exchanges") or () if isinstance(each, dict)]
            self.running = int(_number(said.get("total")))
            streamed = said.get("streamed")
            counted = sum(bool(each.get("streamed")) for each in self.exchanges)
            self.streams = counted if streamed is None else int(_number(streamed))
            self._at = now
        elif name == "upstreams" and isinstance(said, list):
            self.upstreams = [each for each in said if isinstance(each, dict)]
            self._hear_upstreams(now)

    def _hear_upstreams(self, now: float) -> None:
        there = {_name(each): each for each in self.upstreams or ()}
        for gone in self._each.keys() - there.keys():
            del self._each[gone]
        for name, each in there.items():
            self._each.setdefault(name, Counters()).add(now, {"requests": _number(each.get("requests"))})

    def rates(self, now: float) -> Rates | None:
        """C{None} before there are two moments to compare."""
        found = self._total.rates(now)
        return Rates(**found) if found else None

    def rate_of(self, upstream: Mapping[str, Any], now: float) -> float | None:
        """Requests a second that went to an upstream."""
        counters = self._each.get(_name(upstream))
        return None if counters is None else counters.rates(now).get("requests")

    def note_history(self, now: float) -> None:
        """Keep the tokens a second for a line of them; called once each while."""
        rates = self.rates(now)
        if rates is not None:
            self.history.append(rates.tokens)

    def ages(self, now: float) -> Iterator[tuple[float, dict[str, Any]]]:
        """Each exchange with its age by now."""
        for each in self.exchanges or ():
            yield _number(each.get("age")) + max(0.0, now - self._at), each


def _name(upstream: Mapping[str, Any]) -> tuple[str, str]:
    return str(upstream.get("api", "")), str(upstream.get("upstream", ""))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
