"""
The state of an upstream in one process: what runs, how fast it answers, whether it is left out.

It is what the choice looks at, and what management shows. One object belongs to an upstream of an API for as long as
that is where it is, whatever else of the configuration changes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

from attrs import define, field

from ..apisettings import BreakerSettings
from ..message import Api
from ..origin import Upstream
from .balancing import Standing
from .keychoice import KeyRests
from .retrybudget import RetryBudget

TAU = 10.0
"""Seconds in which a latency loses two thirds of its weight: Finagle's C{decayTime}."""

SAMPLES, LEAST_SAMPLES = 100, 20
"""Answers whose times are remembered, and how many there must be to say what is usual."""

MOST_EJECTED = 300.0
"""Seconds that an upstream is left out at most: Envoy's C{max_ejection_time}."""

_EJECTION = BreakerSettings()


@define(slots=True, eq=False)
class UpstreamState:
    """
    Times are seconds of any steady clock.

    @ivar in_flight: attempts that run, until their answer has ended.
    @ivar requests: attempts that were made.
    @ivar failures: attempts in a row that were no good: no answer, none in time, or a status of 500 and above.
    @ivar failed_in_all: attempts that were no good, since the process began.
    @ivar retries: attempts that were made here because another one had failed, or beside one that took long.
    @ivar fallbacks: attempts that were made here for callers of another API.
    @ivar ejections: how often it was left out because of those.
    @ivar ejected_until: when it is asked again; 0 if it is.
    @ivar drained: an operator wants nothing to go there.
    @ivar unwell: active checks have found it so.
    @ivar keys: which are set aside, and how often each was used.
    @ivar budget: of the retries that go there.
    """

    in_flight: int = 0
    requests: int = 0
    failures: int = 0
    failed_in_all: int = 0
    retries: int = 0
    fallbacks: int = 0
    ejections: int = 0
    ejected_until: float = 0.0
    drained: bool = False
    unwell: bool = False
    keys: KeyRests = field(factory=KeyRests)
    budget: RetryBudget = field(factory=RetryBudget)
    _latency: float = 0.0
    _measured_at: float = 0.0
    _lately: deque[float] = field(factory=lambda: deque(maxlen=SAMPLES))
    _back_at: float = -math.inf

    def begun(self) -> None:
        """An attempt is made."""
        self.in_flight += 1
        self.requests += 1

    def ended(self) -> None:
        """It is over, with its answer."""
        self.in_flight -= 1

    def answered(self, seconds: float, now: float) -> None:
        """An answer that was good began after so many C{seconds}. A slow one counts at once, fast ones by and by."""
        self.failures = 0
        self._lately.append(seconds)
        if seconds >= self._latency:
            self._latency = seconds
        else:
            weight = math.exp(-(now - self._measured_at) / TAU)
            self._latency = self._latency * weight + seconds * (1 - weight)
        self._measured_at = now

    def failed(self, now: float, settings: BreakerSettings | None = None) -> bool:
        """
        Count an attempt that was no good; whether the upstream is left out because of it.

        After so many in a row it is left out for C{cooldown}, twice as long the second time, and so on; then each
        further one leaves it out again, until one was good.
        """
        settings = settings or _EJECTION
        self.failures += 1
        self.failed_in_all += 1
        if now < self.ejected_until or not settings.threshold or self.failures < settings.threshold:
            return False
        self.ejections += 1
        again = self.failures - settings.threshold
        self.ejected_until = now + min(MOST_EJECTED, settings.cooldown * 2.0 ** min(again, 10))
        return True

    def latency(self, now: float) -> float:
        """Seconds until an answer has begun lately: what is not measured any more loses its weight."""
        return self._latency * math.exp(-max(0.0, now - self._measured_at) / TAU) if self._latency else 0.0

    def percentile(self, part: float) -> float | None:
        """Seconds within which so large a C{part} of its last answers had begun; C{None} where too few are known."""
        if len(self._lately) < LEAST_SAMPLES:
            return None
        return sorted(self._lately)[min(len(self._lately) - 1, int(part * len(self._lately)))]

    def standing(self, now: float, *, circuit_open: bool, keys_rest: bool = False) -> Standing:
        """
        @param circuit_open: the breaker refuses what would go there.
        @param keys_rest: each key that the caller has for it is set aside.
        """
        if self.drained:
            return "drained"
        if circuit_open:
            return "open"
        if now < self.ejected_until or self.unwell:
            return "resting"
        if self.ejected_until:
            self._back_at, self.ejected_until = self.ejected_until, 0.0
        return "resting" if keys_rest else "well"

    def drain(self) -> None:
        """Let nothing more go there; what runs ends as it would."""
        self.drained = True

    def undrain(self, now: float) -> None:
        """Let requests go there again: it grows into its share."""
        if self.drained:
            self.drained, self._back_at = False, now

    def checked(self, well: bool, now: float) -> None:
        """Active checks have found out how it is. One that is well again grows into its share."""
        if well and self.unwell:
            self._back_at = now
        self.unwell = not well

    def back_for(self, now: float) -> float:
        """Seconds since it came back after it had been left out; without end if it never was."""
        return now - self._back_at


class UpstreamStates:
    """
    The states of the upstreams of one configuration.

    @param former: those of the configuration before: an upstream that is called as it was and is where it was keeps its
        state.
    """

    def __init__(self, apis: Iterable[Api], former: UpstreamStates | None = None) -> None:
        known = {} if former is None else former._states
        self._states: dict[tuple[str, str, str], UpstreamState] = {}
        self._of: dict[Upstream, UpstreamState] = {}
        for api in apis:
            for upstream in api.upstreams:
                place = (api.name, upstream.name, upstream.url)
                state = self._states[place] = known.get(place) or self._states.get(place) or UpstreamState()
                if upstream.health is None:
                    state.unwell = False
                self._of[upstream] = state

    def of(self, upstream: Upstream) -> UpstreamState:
        """That of an upstream of these APIs; of another one it is kept from now on."""
        state = self._of.get(upstream)
        if state is None:
            state = self._of[upstream] = UpstreamState()
        return state

    def all(self) -> Iterator[tuple[str, str, UpstreamState]]:
        """Each with the names of its API and its upstream, in the order of the configuration."""
        return ((api, name, state) for (api, name, _), state in self._states.items())
