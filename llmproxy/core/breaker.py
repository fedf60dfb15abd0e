"""
A circuit breaker as a value and a table of transitions.

=========  ===========================  =========  =====================================
state      what happens                 next       and then
=========  ===========================  =========  =====================================
closed     success                      closed     failures are forgotten
closed     failure                      closed     one more failure in a row
closed     failure, the threshold'th    open       until the cooldown has passed
open       a request before that time   open       it is refused
open       a request after that time    half open  it is let through as the probe
half open  another request              half open  it is refused
half open  another request, the probe   half open  it becomes the probe
           has been silent for a
           whole cooldown
half open  the probe succeeds           closed
half open  the probe fails              open       for another cooldown
half open  the probe was abandoned      open       the next request becomes the probe
any        a result of a request that   the same   it says nothing of now
           began in an earlier state
=========  ===========================  =========  =====================================

Failures are upstream's: unreachable, reset, nonsense, silence, or a status of 502, 503 or 504. A 429 or a
500 is an answer about one request.
"""

from __future__ import annotations

from attrs import define, frozen

FAILURE_STATUSES = frozenset({502, 503, 504})


@frozen
class BreakerSettings:
    """
    @ivar threshold: failures in a row that open it; 0 never does.
    @ivar cooldown: seconds.
    """

    threshold: int = 5
    cooldown: float = 30.0


@define(slots=True, eq=False)
class Circuit:
    """
    One upstream as one key sees it. Times are seconds of any steady clock.

    @ivar generation: grows with each change of state; a request is admitted in one of them.
    """

    settings: BreakerSettings
    state: str = "closed"
    failures: int = 0
    generation: int = 0
    until: float = 0.0

    def admit(self, now: float) -> int | None:
        """The generation that a request belongs to, or C{None} if it is refused."""
        if self.state == "closed":
            return self.generation
        if now < self.until:
            return None
        self._become("half open")
        # A probe that never reports is replaced after a cooldown.
        self.until = now + self.settings.cooldown
        return self.generation

    def succeeded(self, generation: int) -> None:
        if generation != self.generation:
            return
        if self.state == "closed":
            self.failures = 0
        else:
            self._become("closed")

    def failed(self, generation: int, now: float) -> None:
        if generation != self.generation:
            return
        self.failures += 1
        threshold = self.settings.threshold
        if self.state == "half open" or (threshold and self.failures >= threshold):
            self._become("open")
            self.until = now + self.settings.cooldown

    def abandoned(self, generation: int, now: float) -> None:
        """The client left before upstream had answered: that says nothing of upstream."""
        if generation == self.generation and self.state == "half open":
            self._become("open")
            self.until = now

    def _become(self, state: str) -> None:
        self.state = state
        self.failures = 0
        self.generation += 1
