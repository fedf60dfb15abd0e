"""A limit for things that all may take equally long: one delayed call for all of them, whatever their number."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class SharedTimeout:
    """
    @param seconds: how long is waited for each.
    @param late: called for each that took longer.
    @param busy: seconds more, at most, that each waits where this process was too busy to look in time: what is waited
        for may not even have been sent.
    """

    def __init__(self, clock: Any, seconds: float, late: Callable[[], object], busy: float = 0.0) -> None:
        self._clock = clock
        self._limit = seconds
        self._late = late
        self._busy = busy
        self._queue: deque[tuple[float, float, Deferred[Any], Any]] = deque()
        self._timer: Any = None

    @property
    def longest(self) -> float:
        """Seconds that one is waited for at most."""
        return self._limit + self._busy

    def limit(self, work: Deferred[T], otherwise: T) -> Deferred[T]:
        """
        What C{work} gives, or C{otherwise} if it takes too long; what it gives then is dropped.

        C{work} must not fail. Cancelling the result leaves C{work} alone.
        """
        if work.called and not work.paused:
            return work
        result: Deferred[T] = Deferred()
        work.addCallback(_pass_on, result)
        self._drop_done()
        until = self._clock.seconds() + self._limit
        self._queue.append((until, until + self._busy, result, otherwise))
        if self._timer is None:
            self._timer = self._clock.callLater(self._limit, self._look)
        return result

    def stop(self) -> None:
        """Wait for nothing any more: what is left is C{otherwise}."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _, _, result, otherwise in self._queue:
            if not result.called:
                result.callback(otherwise)
        self._queue.clear()

    def _look(self) -> None:
        self._timer = None
        self._drop_done()
        if not self._queue:
            return
        now = self._clock.seconds()
        if self._busy and now - self._queue[0][0] > self._limit / 2:
            self._extend(now)
        until = self._queue[0][0]
        if until <= now:
            # If we were busy ourselves, the answer may be here and not read yet: the reactor reads in between.
            self._timer = self._clock.callLater(0, self._give_up, now)
        else:
            self._timer = self._clock.callLater(until - now, self._look)

    def _extend(self, now: float) -> None:
        """We come late ourselves: all that wait begin anew, as far as they may."""
        for _ in range(len(self._queue)):
            until, latest, result, otherwise = self._queue.popleft()
            self._queue.append((min(max(until, now + self._limit), latest), latest, result, otherwise))

    def _give_up(self, now: float) -> None:
        self._timer = None
        queue = self._queue
        while queue and (queue[0][0] <= now or queue[0][2].called):
            _, _, result, otherwise = queue.popleft()
            if not result.called:
                self._late()
                result.callback(otherwise)
        # One may have been begun meanwhile, by who got the last.
        if self._timer is None:
            self._look()

    def _drop_done(self) -> None:
        while self._queue and self._queue[0][2].called:
            self._queue.popleft()


def _pass_on(value: Any, result: Deferred[Any]) -> None:
    if not result.called:
        result.callback(value)
