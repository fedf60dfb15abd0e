"""A call that waits for a thread, for a bounded time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

from ..errors import Unavailable

T = TypeVar("T")


class QueuedCall(Generic[T]):
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
