"""
The attempts at one request, one after the other, until an answer goes on or nothing is left to try.

An attempt ends with an answer or an error. What L{llmproxy.core.attempts.obstacle} allows to be tried again goes to the
next place: another upstream or key of the API, else an API that it falls back to, else, after a wait, the same one. The
answer that is in hand is dropped when the next attempt begins, and not before: where nothing comes of that, it goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING

from attrs import define, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ..core.attempts import client_retries, forbids_retry, obstacle, patience, wait_before
from ..core.clientcredentials import check_brought, credentials_for
from ..core.credentials import is_keyless
from ..errors import ApiKeyMissing, BreakerOpen, ModelNotServed, ProxyError, Unavailable, UpstreamAuthError
from .attempt import RETRIED, Attempt, Original, drop
from .hedging import Hedge
from .places import Place, Places, Tried

if TYPE_CHECKING:
    from ..apisettings import RetrySettings
    from ..core.attempts import Obstacle
    from ..core.balancing import Draw
    from ..core.budget import Budget
    from ..core.routing import RoutingTable
    from ..errors import OutOfResources, UpstreamError
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Route
    from ..net.timers import TimerWheel

Judge = Callable[["ApiRequest", "Responder"], "Deferred[ApiResponse]"]

_UNUSABLE = (BreakerOpen, UpstreamAuthError)
"""What a place says by which nothing was asked: the next one is asked at once."""


@frozen(eq=False)
class Surroundings:
    """What all loops have in common; see L{llmproxy.middleware.attempts.Attempts}."""

    wheel: TimerWheel
    places: Places
    table: RoutingTable | None
    judge: Judge | None
    draw: Draw
    budget: Budget


@define(eq=False)
class _Outcome:
    """How an attempt ended: with one of the two."""

    attempt: Attempt
    response: ApiResponse | None = None
    error: ProxyError | None = None

    def failure(self, settings: RetrySettings) -> int | UpstreamError | OutOfResources | None:
        """What another attempt may follow; C{None} for what goes on as it is."""
        if self.response is not None:
            return self.response.status if self.response.status in settings.statuses else None
        return self.error if isinstance(self.error, RETRIED) else None


class RetryLoop:
    """
    One request.

    @param model: that it is for; C{""} if that is not known.
    """

    def __init__(self, around: Surroundings, request: ApiRequest, inner: Responder, model: str) -> None:
        self._around = around
        self._request = request
        self._inner = inner
        self._model = model
        self._settings = request.route.api.settings.retry
        self._now = around.wheel.now
        self._started = self._now()
        self._original = Original(request, None if self._settings is None else self._settings.replay, around.budget)
        # Before anything is rewritten: later there are keys of ours in their places.
        self._brought = credentials_for(request)
        self._tried = Tried()
        self._attempts: list[Attempt] = []
        self._refusing: dict[str, str] = {}
        self._left = False
        self._running: Deferred[ApiResponse] | None = None

    def start(self) -> Deferred[ApiResponse]:
        """Cancelling it ends the attempt or the wait that is under way; nothing follows."""
        result: Deferred[ApiResponse] = Deferred(self._cancelled)
        self._running = Deferred.fromCoroutine(self._run())

        def ended(outcome: ApiResponse | Failure) -> None:
            if not result.called:
                result.callback(outcome)
            elif not isinstance(outcome, Failure):
                drop(outcome)

        self._running.addBoth(ended)
        return result

    def _cancelled(self, _: Deferred[ApiResponse]) -> None:
        self._left = True
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> ApiResponse:
        try:
            outcome: _Outcome | None = None
            place: Place | None = self._first()
            while place is not None:
                outcome = await (self._ask(place, outcome) if self._attempts else self._begin(place))
                if self._left:
                    drop(outcome.response if outcome is not None else None)
                    raise CancelledError
                place = self._first() if outcome is None else await self._next(outcome)
        finally:
            self._original.release()
            self._tell()
        assert outcome is not None
        # What stands further out reads references by the API that has answered.
        self._request.route = outcome.attempt.place.route
        outcome.attempt.answers(self._request.record)
        if outcome.response is None:
            raise outcome.error or AssertionError
        return outcome.response

    # -- where to

    def _first(self) -> Place:
        """
        @raise ProxyError: there is nowhere to go.
        """
        api, project = self._original.route.api, self._request.principal.project
        check_brought(api, project, self._brought)
        place = self._other() or self._own()
        if place is not None:
            return place
        if is_keyless(api, project):
            raise ApiKeyMissing(api.name)
        if not any(self._around.places.serves(upstream, self._model) for upstream in api.upstreams):
            raise ModelNotServed(f"{api.name} has no upstream for the model {self._model!r}")
        raise Unavailable(f"every upstream of {api.name} that could answer is drained")

    def _own(self, tried: Tried | None = None) -> Place | None:
        return self._around.places.choose(
            self._request, self._original.route, self._model, tried, brought=self._brought
        )

    def _other(self) -> Place | None:
        """One that was not tried, and can be asked: the best standing decides, then the order of fallbacks."""
        found = [self._own(self._tried), *(self._elsewhere(route) for route in self._fallbacks())]
        usable = [place for place in found if place is not None and (place.standing != "open" or place.forced)]
        return next((place for place in usable if place.standing == "well"), usable[0] if usable else None)

    def _fallbacks(self) -> list[Route]:
        table, api = self._around.table, self._original.route.api
        if table is None or self._settings is None or not api.settings.fallback:
            return []
        names = [name for name in api.settings.fallback if name not in self._refusing and table.named(name)]
        found = [table.match(b"/" + name.encode() + self._original.route.target) for name in names]
        return [route for route in found if route is not None]

    def _elsewhere(self, route: Route) -> Place | None:
        return self._around.places.choose(self._request, route, self._model, self._tried, elsewhere=True)

    # -- one attempt

    async def _begin(self, place: Place) -> _Outcome | None:
        """The first attempt, and a second one beside it where that is configured and the first takes long."""
        settings = self._settings
        after = place.state.percentile(settings.hedge) if settings is not None and settings.hedge else None
        if settings is None or after is None or not self._original.can_be_hedged:
            return await self._ask(place, None)

        def second() -> Deferred[_Outcome | None] | None:
            other = self._own(Tried({place.upstream}))
            if other is None or other.standing != "well" or not self._original.can_be_hedged:
                return None
            if other.upstream.key_source == "client":
                # A client's credential goes out for what has to be asked there, not for speed.
                return None
            if len(self._attempts) >= settings.attempts or not self._may_spend(other):
                return None
            return Deferred.fromCoroutine(self._ask(other, None, copy(self._request)))

        def is_good(outcome: _Outcome | None) -> bool:
            return outcome is not None and outcome.error is None and outcome.failure(settings) is None

        def discard(outcome: _Outcome | None) -> None:
            if outcome is not None:
                self._note(outcome)
                drop(outcome.response)

        first = Deferred.fromCoroutine(self._ask(place, None))
        return await Hedge(self._around.wheel, first, after, second, is_good, discard).result

    async def _ask(self, place: Place, previous: _Outcome | None, request: ApiRequest | None = None) -> _Outcome | None:
        """
        @param previous: dropped when this one begins.
        @param request: of its own, for one that runs beside another one.
        @return: C{previous} if it never did, because the caller may not ask this there.
        """
        attempt = Attempt(place, self._now)
        held = None if previous is None else previous.response
        try:
            response = await self._responding(attempt, previous, request or self._request)
        except ProxyError as error:
            if attempt not in self._attempts:
                self._refusing[place.route.api.name] = error.code
                return previous
            attempt.failed(error)
            return _Outcome(attempt, error=error)
        except Exception:
            if attempt in self._attempts:
                attempt.abandoned()
            else:
                drop(held)
            raise
        return _Outcome(attempt, attempt.answered(response))

    def _responding(self, attempt: Attempt, previous: _Outcome | None, request: ApiRequest) -> Deferred[ApiResponse]:
        def enter(request: ApiRequest) -> Deferred[ApiResponse]:
            if previous is not None:
                drop(previous.response)
            is_first = not self._attempts
            if not is_first:
                request.begun = self._started
            elif self._settings is not None:
                attempt.place.state.budget.deposit(self._settings.budget)
            self._attempts.append(attempt)
            attempt.begin(request, is_first=is_first)
            return self._inner(request)

        place, judge = attempt.place, self._around.judge
        self._original.restore(request, place)
        return judge(request, enter) if place.is_elsewhere and judge is not None else enter(request)

    # -- what follows

    async def _next(self, outcome: _Outcome) -> Place | None:
        """Where the next attempt goes, once it may; C{None} if this was the last one."""
        settings = self._settings
        if settings is None:
            return None
        self._note(outcome)
        if isinstance(outcome.error, _UNUSABLE):
            if outcome.attempt in self._attempts:
                self._attempts.remove(outcome.attempt)
            return self._other()
        failure = outcome.failure(settings)
        if failure is None:
            return None
        other = self._other()
        reason = self._obstacle(failure, settings, elsewhere=other is not None)
        if reason is None:
            seconds, place = self._way(outcome, settings, other)
            if place is None:
                reason = "nowhere"
            elif seconds is None:
                reason = "wait"
            elif not self._may_spend(place):
                reason = "budget"
            else:
                if seconds:
                    drop(outcome.response)
                    await self._wait(seconds)
                return place
        self._tell(reason)
        return None

    def _note(self, outcome: _Outcome) -> None:
        """What it is not to be asked again: a key that was refused, or the upstream."""
        place = outcome.attempt.place
        if outcome.attempt.answered_with in (401, 429) or isinstance(outcome.error, UpstreamAuthError):
            self._tried.keys.add((place.upstream, place.key))
        else:
            self._tried.upstreams.add(place.upstream)

    def _obstacle(
        self, failure: int | UpstreamError | OutOfResources, settings: RetrySettings, *, elsewhere: bool
    ) -> Obstacle | None:
        unsent = not isinstance(failure, int) and failure.progress == "unsent"
        return obstacle(
            failure,
            self._request.method,
            settings,
            made=len(self._attempts),
            client_retries=client_retries(self._original.fields),
            can_replay=self._original.can_replay(unsent=unsent),
            answered=self._original.answered,
            elsewhere=elsewhere,
        )

    def _way(
        self, outcome: _Outcome, settings: RetrySettings, other: Place | None
    ) -> tuple[float | None, Place | None]:
        """The next place, and how long to wait before it is asked; C{None} seconds for too long."""
        left = self._seconds_left()
        if other is not None:
            return (None if left is not None and left <= 0 else 0.0), other
        again = self._own()
        if again is None or again.standing == "open" or (outcome.response and forbids_retry(outcome.response.fields)):
            return 0.0, None
        asked = [attempt for attempt in self._attempts if attempt.place.upstream is again.upstream]
        said = next((attempt.retry_after for attempt in reversed(asked)), None)
        return wait_before(max(1, len(asked)), said, self._around.draw, settings.max_wait, left), again

    def _may_spend(self, place: Place) -> bool:
        """Take one of the retries that an upstream may get."""
        settings = self._settings
        return settings is not None and settings.budget > 0 and place.state.budget.withdraw(self._now())

    def _seconds_left(self) -> float | None:
        """Until the caller gives up, or the API's own limit of the whole exchange is reached."""
        limits = (patience(self._original.fields), self._original.route.api.timeouts.request)
        least = min((limit for limit in limits if limit is not None), default=None)
        return None if least is None else least - (self._now() - self._started)

    async def _wait(self, seconds: float) -> None:
        waiting: Deferred[None] = Deferred()
        deadline = self._around.wheel.start(seconds, lambda: waiting.callback(None))
        try:
            await waiting
        finally:
            deadline.end()

    def _tell(self, reason: Obstacle | None = None) -> None:
        """Note the attempts in the record, where there is more to say than which upstream answered."""
        details: dict[str, object] = {}
        if len(self._attempts) > 1:
            details["tried"] = [attempt.as_detail() for attempt in self._attempts]
        if self._refusing:
            details["not_asked"] = dict(self._refusing)
        if reason is not None:
            details["not_retried"] = reason
        if details:
            self._request.record.details = {**(self._request.record.details or {}), **details}
