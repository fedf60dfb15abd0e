"""Search for the highest rate: a bisection over noisy trials, as a pure function."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

CLOSE_ENOUGH = 1.05
"""The ratio of the lowest rate that failed to the highest that held, at which a search ends."""

KEPT_UP = 0.97
"""The share of the offered rate that must be answered within the window."""


@frozen
class Trial:
    """
    @ivar rate: offered, per second.
    @ivar p99: in nanoseconds.
    @ivar sound: nothing failed, and it was answered as fast as it was asked.
    """

    rate: float
    p99: int
    sound: bool

    def holds(self, bound: int) -> bool:
        return self.sound and self.p99 <= bound


def trial_of(rate: float, p99: int, per_second: float, errors: int) -> Trial:
    """What a run at this rate says."""
    return Trial(rate, p99, errors == 0 and per_second >= KEPT_UP * rate)


def held(trials: Sequence[Trial], bound: int) -> float:
    """The highest rate that held the bound below the lowest that did not; 0 if none did."""
    limit = failed(trials, bound)
    return max((trial.rate for trial in trials if trial.holds(bound) and trial.rate < limit), default=0.0)


def failed(trials: Sequence[Trial], bound: int) -> float:
    """The lowest rate that did not hold the bound; infinity if all did."""
    return min((trial.rate for trial in trials if not trial.holds(bound)), default=float("inf"))


def next_rate(trials: Sequence[Trial], bound: int, ceiling: float) -> float | None:
    """
    The rate whose trial tells most about the bound, or C{None} when enough is known.

    @param ceiling: no rate above this is tried; what a closed loop reached is a good one.
    """
    low, high = held(trials, bound), failed(trials, bound)
    if high == float("inf"):
        return None if low >= ceiling else ceiling
    if low == 0:
        # Far below what fails: a bound may be out of reach at any rate that is worth naming.
        return high / 2 if high > ceiling / 64 else None
    return (low * high) ** 0.5 if high / low > CLOSE_ENOUGH else None


def next_step(trials: Sequence[Trial], start: float, factor: float = 1.5) -> float | None:
    """
    The next rate in a search for the most that is sound, from C{start} upwards or down.

    Only whether a trial was sound counts; L{held} with no bound is the result.
    """
    no_bound = 1 << 63
    low, high = held(trials, no_bound), failed(trials, no_bound)
    if not trials:
        return start
    if high == float("inf"):
        return low * factor
    if low == 0:
        return high / factor if high > start / 64 else None
    return (low * high) ** 0.5 if high / low > 2 * CLOSE_ENOUGH - 1 else None
