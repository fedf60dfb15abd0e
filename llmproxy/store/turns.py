"""Waiting for a thread, but not for ever; and complaining, but not all the time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

from ..errors import Unavailable

T = TypeVar("T")


class Turn(Generic[T]):
    """A call that waits for a thread: it is begun there or given up here, never both."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._lock = Lock()
        self._decided = False

    def take(self) -> T:
        """Called in the thread."""
        if not self._decide():
            raise Unavailable("given up")
        return self._call()

    def result(self, running: Deferred[T], clock: Any, patience: float) -> Deferred[T]:
        """
        What C{running} gives, or L{Unavailable} when it was not begun within C{patience} seconds.

        It is a Deferred of its own, so that who cancels does not make the call look ended.
        """
        result: Deferred[T] = Deferred()
        if running.called:
            running.addCallbacks(result.callback, result.errback)
            return result
        late = clock.callLater(patience, self._give_up, result)

        def ended(outcome: Any) -> None:
            if late.active():
                late.cancel()
            if not result.called:
                result.callback(outcome)

        running.addBoth(ended)
        return result

    def _give_up(self, result: Deferred[T]) -> None:
        if self._decide() and not result.called:
            result.errback(Unavailable("the database is too slow"))

    def _decide(self) -> bool:
        with self._lock:
            decided, self._decided = self._decided, True
            return not decided


class Complaints:
    """One line a second, and how many were left out: a database that is away fails every call."""

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._said_at = float("-inf")
        self._unsaid = 0

    def may_speak(self) -> int | None:
        """How many were left out since the last one; C{None} for this one too."""
        now = self._seconds()
        if now - self._said_at < 1.0:
            self._unsaid += 1
            return None
        self._said_at = now
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid
