"""One attempt at a request: what goes further in for it, and what its end says of the upstream."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field

from ..bodies import BytesBody, Tap, at_hand
from ..core.attempts import retry_after
from ..core.causes import cause_of
from ..core.credentials import without_keys
from ..core.prices import billed_to
from ..errors import OutOfResources, ProxyError, UpstreamError
from ..origin import CredentialPlace
from ..replay import ReplayableBody
from .credential import rebuilt

if TYPE_CHECKING:
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..core.budget import Budget
    from ..message import ApiRequest, ApiResponse, Field, Fields, InterimSink, Record, Route
    from .places import Place

_NOWHERE = CredentialPlace("none", b"", b"")


class Original:
    """
    A request as it came to its attempts; each begins with it.

    @param keeps: bytes of the body that are kept for another attempt; C{None} for a request that is made once.
    @param budget: of all bodies that are kept.
    @ivar answered: something of an answer, if only an interim response, has gone on to the client.
    """

    def __init__(self, request: ApiRequest, keeps: int | None, budget: Budget) -> None:
        self.route: Route = request.route
        self.target = request.target
        self.fields: list[Field] = request.fields
        self.answered = False
        self._interim: InterimSink | None = request.on_interim
        self._keeps = keeps
        self._body: IBodyProducer | None = request.body
        if isinstance(self._body, ReplayableBody):
            # It was looked into already.
            self._body.keep_no_more_than(keeps or 0)
        if keeps is not None:
            if self._body is not None and not isinstance(self._body, (BytesBody, ReplayableBody)):
                length = self._body.length
                fits = not isinstance(length, int) or length <= keeps
                self._body = ReplayableBody(self._body, budget, keeps if fits else 0)
            if self._interim is not None:
                request.on_interim = self._pass_interim

    def restore(self, request: ApiRequest, place: Place) -> None:
        """Make C{request} what goes to C{place}; a caller's credentials do not go to another API than it asked."""
        api = self.route.api
        request.upstream, request.key, request.forced = place.upstream, place.key, place.forced
        if place.route is self.route:
            request.target, request.fields = self.target, self.fields
        else:
            request.target = without_keys(place.route.target, api.query_keys)
            request.fields = rebuilt(self.fields, _NOWHERE, b"", api.key_fields)
        request.route = place.route
        request.body = self._again()

    def can_replay(self, *, unsent: bool) -> bool:
        """Whether the body can be sent from its beginning."""
        if isinstance(self._body, BytesBody):
            return unsent or len(self._body.content) <= (self._keeps or 0)
        return not isinstance(self._body, ReplayableBody) or self._body.can_replay

    @property
    def can_be_hedged(self) -> bool:
        """Whether two attempts can have the body at once."""
        return not self.answered and not isinstance(self._body, ReplayableBody) and self.can_replay(unsent=False)

    def release(self) -> None:
        """No attempt follows."""
        if isinstance(self._body, ReplayableBody):
            self._body.release()

    def _again(self) -> IBodyProducer | None:
        body = self._body
        if isinstance(body, BytesBody) and self._keeps is not None:
            # One that is stopped has lost its content.
            return BytesBody(body.content, body.length)
        if isinstance(body, ReplayableBody):
            # Upstream may have answered before it had taken all of it.
            body.leave()
        return body

    def _pass_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        self.answered = True
        assert self._interim is not None
        self._interim(status, reason, fields)


@define(eq=False)
class Attempt:
    """
    Between L{begin} and the end of its answer it is in flight at its upstream.

    @ivar answered_with: the status of its answer; 0 for none.
    @ivar cause: why there is none; C{""} where there is one.
    @ivar took: seconds until either.
    @ivar retry_after: seconds that the answer asks to wait, from when it came.
    """

    place: Place
    seconds: Callable[[], float]
    answered_with: int = 0
    cause: str = ""
    took: float = 0.0
    retry_after: float | None = None
    _begun: float = 0.0
    _running: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """The upstream as records call it; one of another API by the name of that."""
        api, upstream = self.place.route.api.name, self.place.upstream.name
        return upstream if upstream in ("", api) or not self.place.is_elsewhere else f"{api}/{upstream}"

    def begin(self, request: ApiRequest, *, is_first: bool = True) -> None:
        """The request goes further in."""
        self._begun = self.seconds()
        self._running = True
        state = self.place.state
        state.begun()
        if not is_first:
            state.retries += 1
        if self.place.is_elsewhere:
            state.fallbacks += 1
        record = request.record
        record.upstream, record.provider = self.name, billed_to(self.place.upstream)
        record.upstream_status, record.upstream_request_id, record.upstream_first_byte = 0, "", None

    def answers(self, record: Record) -> None:
        """This one counts, whatever came after it began."""
        record.upstream, record.provider = self.name, billed_to(self.place.upstream)
        record.upstream_status = self.answered_with

    def answered(self, response: ApiResponse) -> ApiResponse:
        """A head has come; what it says of the upstream and its key is noted."""
        now, status, state = self.seconds(), response.status, self.place.state
        self.took, self.answered_with = now - self._begun, status
        self.retry_after = retry_after(response.fields, now) if status >= 400 else None
        if status >= 500:
            state.failed(now, self.place.route.api.settings.breaker)
        elif status in (401, 429):
            state.keys.set_aside(self.place.key, status, self.retry_after, now)
        else:
            state.answered(self.took, now)
        if response.body is None or at_hand(response.body):
            self.end()
        else:
            response.body = Tap(response.body, None, self._body_ended)
        return response

    def failed(self, error: ProxyError) -> None:
        """There is no answer."""
        self.took = self.seconds() - self._begun
        self.cause = cause_of(error) or error.code
        if isinstance(error, UpstreamError):
            self.place.state.failed(self.seconds(), self.place.route.api.settings.breaker)
        self.end()

    def abandoned(self) -> None:
        """It was cut before there was an answer: the client left, or another attempt was faster."""
        self.took = self.seconds() - self._begun
        self.cause = "cancelled"
        self.end()

    def end(self) -> None:
        """It is no longer in flight. Idempotent."""
        if self._running:
            self._running = False
            self.place.state.ended()

    def as_detail(self) -> dict[str, object]:
        """What the record says of it; C{took} in milliseconds."""
        result = {"status": self.answered_with} if self.answered_with else {"cause": self.cause}
        return {"upstream": self.name, **result, "took": round(self.took * 1000, 3)}

    def _body_ended(self, reason: Failure | None) -> None:
        if reason is not None and isinstance(reason.value, UpstreamError):
            self.place.state.failed(self.seconds(), self.place.route.api.settings.breaker)
        self.end()


def drop(response: ApiResponse | None) -> None:
    """Have nothing more of an answer that goes nowhere: its connection is free or closed."""
    if response is None:
        return
    if response.upgraded is not None:
        response.upgraded.unregisterProducer()
    if response.body is not None:
        response.body.stopProducing()


RETRIED = (UpstreamError, OutOfResources)
"""The errors of an attempt that another one may follow."""
