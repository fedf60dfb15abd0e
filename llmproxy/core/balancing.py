"""
The choice of one upstream among several, as functions of values, with randomness as an argument.

First the priority: the smallest one of which an upstream is well is asked. Where none is well anywhere, one that only
rests is asked before one whose circuit is open, which refuses. Then one of that priority, by L{Balance}; shares are
weights, of an upstream that has come back a growing part of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Literal

from attrs import frozen

from ..apisettings import Balance

Draw = Callable[[], float]
"""A random number from 0 to below 1."""

Standing = Literal["well", "resting", "open", "drained"]
"""
What is known of an upstream, for one caller: it is C{well}; it is C{resting} after failures or a limit, and can be
asked where no other can; its circuit is C{open}; an operator has C{drained} it.
"""

LEAST_SHARE = 0.1
"""Of its weight, of an upstream that has just come back: Envoy's C{min_weight_percent}."""

_UNMEASURED = 1.0e9
"""The cost of one that nothing is known of and that is being asked already: Finagle's C{Penalty}."""


@frozen
class Candidate:
    """
    An upstream as the choice sees it.

    @ivar name: unlike those of the others.
    @ivar weight: above nothing.
    @ivar latency: seconds until an answer has begun lately; 0 if that is not known.
    """

    name: str
    weight: float = 1.0
    priority: int = 1
    standing: Standing = "well"
    in_flight: int = 0
    latency: float = 0.0


def grown(weight: float, since: float, window: float) -> float:
    """
    The share of an upstream that came back C{since} seconds ago, as Envoy's C{slow_start_config} has it with an
    C{aggression} of 1.

    @param window: seconds until it has its weight; 0 is at once.
    """
    if window <= 0 or since >= window:
        return weight
    return weight * max(LEAST_SHARE, since / window)


def choose(
    candidates: Sequence[Candidate], by: Balance, draw: Draw, *, sticky: bytes = b"", panic_threshold: float = 0.0
) -> Candidate | None:
    """
    The upstream of an attempt; C{None} if there is none that may be asked.

    @param sticky: what goes to the same upstream while that can be asked; C{b""} for nothing.
    @param panic_threshold: see L{llmproxy.apisettings.BalanceSettings}.
    """
    eligible = level(candidates, panic_threshold)
    if len(eligible) < 2:
        return eligible[0] if eligible else None
    if sticky:
        return rendezvous(eligible, sticky)
    if by == "weighted":
        return weighted(eligible, draw)
    return least_in_flight(eligible, draw) if by == "least_in_flight" else peak_ewma(eligible, draw)


def level(candidates: Sequence[Candidate], panic_threshold: float = 0.0) -> list[Candidate]:
    """Those of which one is chosen: of one priority, and of the best standing that there is."""
    asked = [each for each in candidates if each.standing != "drained"]
    first: list[Candidate] = []
    for priority in sorted({each.priority for each in asked}):
        here = [each for each in asked if each.priority == priority]
        well = [each for each in here if each.standing == "well"]
        if well and len(well) >= panic_threshold * len(here):
            return well
        first = first or here
    if panic_threshold > 0:
        return first
    return _best(asked)


def in_panic(chosen: Candidate, panic_threshold: float) -> bool:
    """Whether an upstream was chosen although its circuit is open, because too few are well."""
    return panic_threshold > 0 and chosen.standing == "open"


def _best(asked: Sequence[Candidate]) -> list[Candidate]:
    for standing in ("well", "resting", "open"):
        found = [each for each in asked if each.standing == standing]
        if found:
            smallest = min(each.priority for each in found)
            return [each for each in found if each.priority == smallest]
    return []


def weighted(candidates: Sequence[Candidate], draw: Draw) -> Candidate:
    """Each as often as its weight says."""
    at = draw() * sum(each.weight for each in candidates)
    for each in candidates:
        at -= each.weight
        if at < 0:
            return each
    return candidates[-1]


def least_in_flight(candidates: Sequence[Candidate], draw: Draw) -> Candidate:
    """The one with the fewest running requests for its weight; of equal ones by weight."""
    loads = [(each.in_flight + 1) / each.weight for each in candidates]
    least = min(loads)
    return weighted([each for each, load in zip(candidates, loads, strict=True) if load <= least], draw)


def peak_ewma(candidates: Sequence[Candidate], draw: Draw) -> Candidate:
    """Of two that are drawn by weight, the one that is expected to answer sooner."""
    one = weighted(candidates, draw)
    other = weighted([each for each in candidates if each is not one], draw)
    return other if cost(other) < cost(one) else one


def cost(candidate: Candidate) -> float:
    """
    Seconds that another request is expected to wait: Finagle's peak EWMA balancer.

    One that has not answered yet is asked once; further requests wait for what comes of that.
    """
    if not candidate.latency:
        return _UNMEASURED + candidate.in_flight if candidate.in_flight else 0.0
    return candidate.latency * (candidate.in_flight + 1)


def rendezvous(candidates: Sequence[Candidate], key: bytes) -> Candidate:
    """
    The same one for the same key, by weighted rendezvous hashing (highest random weight): where one goes, only its keys
    move, and they spread over the others by weight.
    """
    return max(candidates, key=lambda each: _score(each, key))


def _score(candidate: Candidate, key: bytes) -> float:
    digest = blake2b(candidate.name.encode() + b"\0" + key, digest_size=8).digest()
    # Of the 2**53 numbers between 0 and 1 that a float can tell apart, never 0 or 1.
    part = ((int.from_bytes(digest, "big") >> 11) + 0.5) / (1 << 53)
    return -candidate.weight / math.log(part)
