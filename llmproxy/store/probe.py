"""A probe of a database that may be in trouble: one question at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..errors import Unavailable


class Probe:
    """
    However many ask, one question is under way; and nobody waits long for its answer.

    @param ask: asks.
    @param within: seconds.
    """

    def __init__(self, clock: Any, ask: Callable[[], Deferred[Any]], within: float) -> None:
        self._clock = clock
        self._ask = ask
        self._within = within
        self._asking = False
        self._waiting: list[Deferred[None]] = []

    def check(self) -> Deferred[None]:
        """Fails with L{Unavailable} if there is no answer in time, and with what C{ask} fails with."""
        waiter: Deferred[None] = Deferred(self._leave)
        self._waiting.append(waiter)
        if not self._asking:
            self._asking = True
            self._ask().addBoth(self._answered)
        if not waiter.called:
            late = self._clock.callLater(self._within, self._late, waiter)
            waiter.addBoth(_ended, late)
        return waiter

    def _answered(self, outcome: Any) -> None:
        self._asking = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if isinstance(outcome, Failure):
                waiter.errback(outcome)
            else:
                waiter.callback(None)

    def _late(self, waiter: Deferred[None]) -> None:
        self._leave(waiter)
        waiter.errback(Unavailable("it does not answer"))

    def _leave(self, waiter: Deferred[None]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)


def _ended(outcome: Any, late: Any) -> Any:
    if late.active():
        late.cancel()
    return outcome
