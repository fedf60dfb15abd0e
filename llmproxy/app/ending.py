"""The end of a service: once, however often it is asked for, and at the latest with the reactor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred


class Ending:
    """
    Calls C{end} once.

    An application that starts a service and lets its reactor stop without stopping the service would leave threads
    behind, and what is counted unwritten.

    @param end: its Deferred is waited for by all who ask, and by the reactor.
    """

    def __init__(self, reactor: Any, end: Callable[[], Deferred[None]]) -> None:
        self._reactor = reactor
        self._end = end
        self._asked = False
        self._result: Any = None
        self._waiting: list[Deferred[None]] | None = []
        self._trigger: Any = None

    def with_reactor(self) -> None:
        """The service runs: it ends when the reactor stops, if not before."""
        # A clock is a reactor that never stops.
        if self._trigger is None and hasattr(self._reactor, "addSystemEventTrigger"):
            self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._reactor_stops)

    def now(self) -> Deferred[None]:
        """End it; fires when it has ended. Cancelling it forgets that, and ends it all the same."""
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            self._reactor.removeSystemEventTrigger(trigger)
        return self._ended()

    def _reactor_stops(self) -> Deferred[None]:
        # It has been called, and is not to be removed any more.
        self._trigger = None
        return self._ended()

    def _ended(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        if self._waiting is None:
            waiting.callback(self._result)
            return waiting
        self._waiting.append(waiting)
        if not self._asked:
            self._asked = True
            maybeDeferred(self._end).addBoth(self._has_ended)
        return waiting

    def _has_ended(self, result: Any) -> None:
        waiting, self._waiting = self._waiting or [], None
        # A failure belongs to who asked first; the others only wait.
        waiting[0].callback(result)
        for one in waiting[1:]:
            one.callback(None)
