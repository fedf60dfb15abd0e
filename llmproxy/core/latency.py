"""
The latency of a span, estimated from a sample: quantiles cannot be added up as sums can, and the records of a year
cannot be read for a page.

The span is cut into equal parts, of each of which the last few exchanges are looked at. They stand for all of their
part: for as many as it has at the rate at which they ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from attrs import frozen

PARTS = 48
EACH = 100
"""Exchanges of a part that are looked at."""


@frozen
class Sampled:
    """
    An exchange, in microseconds.

    @ivar ended_at: since the epoch.
    @ivar first_token: until the first content of a stream; C{None} if there was none.
    """

    ended_at: int
    duration: int
    first_token: int | None = None


@frozen
class Latency:
    """
    @ivar p50: seconds until an answer was whole, of half of all; C{p95} of 95 in 100. C{None}: there was none.
    @ivar first_token_p50: seconds until the first content of a stream, likewise.
    @ivar sampled: exchanges that were looked at.
    """

    p50: float | None = None
    p95: float | None = None
    first_token_p50: float | None = None
    first_token_p95: float | None = None
    sampled: int = 0


def parts_of(since: int, until: int) -> list[tuple[int, int]]:
    """Equal parts of a span, in microseconds: when each begins, and when it ends. None is shorter than a second."""
    count = max(1, min(PARTS, (until - since) // 1_000_000))
    bounds = [since + (until - since) * at // count for at in range(count + 1)]
    return [(begin, end) for begin, end in pairwise(bounds) if begin < end]


def latency_of(samples: Iterable[tuple[tuple[int, int], Sequence[Sampled]]]) -> Latency:
    """
    @param samples: parts, each with the last L{EACH} of its exchanges, or with all that it has.
    """
    durations: list[tuple[int, float]] = []
    firsts: list[tuple[int, float]] = []
    for part, sample in samples:
        weight = _weight(part, sample)
        durations += [(each.duration, weight) for each in sample]
        firsts += [(each.first_token, weight) for each in sample if each.first_token is not None]
    return Latency(*_quantiles(durations), *_quantiles(firsts), sampled=len(durations))


def _weight(part: tuple[int, int], sample: Sequence[Sampled]) -> float:
    """How many exchanges of its part each of a sample stands for."""
    if len(sample) < EACH:
        return 1.0
    begin, end = part
    return max(1.0, (end - begin) / max(1, end - min(each.ended_at for each in sample)))


def _quantiles(weighted: list[tuple[int, float]]) -> tuple[float | None, float | None]:
    """The value that half of the weight is not above, and 95 in 100 of it; in seconds."""
    if not weighted:
        return None, None
    weighted.sort()
    total = sum(weight for _, weight in weighted)
    found: list[float | None] = [None, None]
    passed = 0.0
    for value, weight in weighted:
        passed += weight
        for at, share in enumerate((0.5, 0.95)):
            if found[at] is None and passed >= share * total:
                found[at] = value / 1_000_000
    last = weighted[-1][0] / 1_000_000
    return found[0] if found[0] is not None else last, found[1] if found[1] is not None else last
