"""Overload: so many exchanges at once, a short queue, and then a refusal, before memory or time run away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from ..bodies import Tap, at_hand, is_answered
from ..composition import NO_KEYWORDS
from ..core.limits.places import Places
from ..limiterrors import Overloaded

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse
    from ..net.timers import TimerWheel
    from ..usagelimits import Overload


class Overloading:
    """
    It stands inside of authentication: places are shared out among projects. Nothing of a body is read before.

    @ivar places: outlive a configuration.
    """

    def __init__(self, settings: Overload, places: Places, wheel: TimerWheel) -> None:
        self._wait = settings.wait
        self.places = places
        places.most, places.queue = settings.exchanges, settings.queue
        self._wheel = wheel

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        project = request.principal.project.id
        if self.places.enter(project):
            return _Placed(self.places, project).respond(request, inner)
        waiting: Deferred[None] = Deferred(lambda _: self.places.leave(project, waiting))
        waits, dropped = self.places.wait(project, waiting)
        if dropped is not None:
            dropped.errback(self._refusal())
        if not waits:
            raise self._refusal()
        deadline = self._wheel.start(self._wait, lambda: self._late(project, waiting))

        def placed(result: object) -> object:
            deadline.end()
            return result

        waiting.addBoth(placed)
        return waiting.addCallback(lambda _: _Placed(self.places, project).respond(request, inner))

    def _late(self, project: str, waiting: Deferred[None]) -> None:
        self.places.leave(project, waiting)
        if not waiting.called:
            waiting.errback(self._refusal())

    def _refusal(self) -> Overloaded:
        places = self.places
        running, waiting = places.running, places.waiting
        runs = f"{running} {'exchange runs' if running == 1 else 'exchanges run'}"
        waits = f"{waiting} {'waits' if waiting == 1 else 'wait'}"
        return Overloaded(
            f"{runs} and {waits} (usage_limits: overload)",
            retry_after=max(1, round(self._wait)),
        )


class _Placed:
    """An exchange that has a place, until it has ended."""

    __slots__ = ("_ended", "_places", "_project")

    def __init__(self, places: Places, project: str) -> None:
        self._places = places
        self._project = project
        self._ended = False

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        try:
            responding = inner(request)
        except Exception:
            self._end()
            raise
        if is_answered(responding):
            self._end()
            return responding
        return responding.addCallbacks(self._head, self._failed, errbackKeywords=NO_KEYWORDS)

    def _head(self, response: ApiResponse) -> ApiResponse:
        if response.body is None or at_hand(response.body):
            self._end()
        else:
            response.body = Tap(response.body, None, self._end)
        return response

    def _failed(self, reason: Failure) -> Failure:
        self._end()
        return reason

    def _end(self, reason: object = None) -> None:
        if not self._ended:
            self._ended = True
            for waiting in self._places.end(self._project):
                waiting.callback(None)
