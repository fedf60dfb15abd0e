"""A hedge: a second attempt beside one that takes long, of which the first good outcome counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from ..net.timers import Deadline, TimerWheel

T = TypeVar("T")


class Hedge(Generic[T]):
    """
    L{result} fires with the first outcome that is good, and the other attempt is cancelled then; where neither is, with
    what the later one came to. Cancelling it cancels both.

    @param first: the attempt that runs.
    @param after: seconds until the second one is made, unless there is an outcome.
    @param second: makes it; C{None} if it cannot be made.
    @param discard: takes an outcome that goes nowhere.
    """

    def __init__(
        self,
        wheel: TimerWheel,
        first: Deferred[T],
        after: float,
        second: Callable[[], Deferred[T] | None],
        is_good: Callable[[T], bool],
        discard: Callable[[T], object],
    ) -> None:
        self._second = second
        self._is_good = is_good
        self._discard = discard
        self._running: list[Deferred[T]] = []
        self._deadline: Deadline | None = None
        self._over = False
        self.result: Deferred[T] = Deferred(lambda _: self._end())
        self._watch(first)
        if not self._over:
            self._deadline = wheel.start(after, self._passed)

    def _passed(self) -> None:
        self._deadline = None
        second = self._second()
        if second is not None:
            self._watch(second)

    def _watch(self, attempt: Deferred[T]) -> None:
        self._running.append(attempt)
        attempt.addBoth(self._ended, attempt)

    def _ended(self, outcome: T | Failure, attempt: Deferred[T]) -> None:
        if attempt in self._running:
            self._running.remove(attempt)
        if isinstance(outcome, Failure):
            if not self._over:
                self._settle(outcome)
        elif self._over:
            self._discard(outcome)
        elif self._is_good(outcome) or not self._running:
            self._settle(outcome)
        else:
            self._discard(outcome)

    def _settle(self, outcome: T | Failure) -> None:
        self._end()
        self.result.callback(outcome)

    def _end(self) -> None:
        """Nothing more counts, and what runs is cancelled."""
        self._over = True
        if self._deadline is not None:
            self._deadline.end()
        running, self._running = self._running, []
        for attempt in running:
            attempt.cancel()
