"""Quotas: a use of the token is spent, and taken back where upstream never saw the request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..bodies import BytesBody, Tap
from ..errors import RateLimitExceeded, TokenUsedUp
from ..message import Field
from ..providers.readers import ASKED
from ..replay import ReplayableBody
from ..usagelimits import UNLIMITED
from .modelpeek import model_in

if TYPE_CHECKING:
    from ..interfaces import ILedger, IQuota, Responder
    from ..message import ApiRequest, ApiResponse, Record
    from .limits import Limiting

Outcome = TypeVar("Outcome")

DO_NOT_RETRY: Field = (b"x-should-retry", b"false")
"""A spent quota does not come back by waiting: the SDKs of OpenAI and Anthropic read this before they retry a 429."""

USED_UP = "it has made all the requests that it may (max_requests); waiting does not help, another token does"


class Limit:
    """
    A request that fails before it was sent upstream uses up nothing, whosever fault that is.

    A client that leaves while the use is being spent does not stop the spending: the use is given back when
    it has been taken.

    @param limits: of usage; what does not fit in them takes no use.
    """

    def __init__(self, quota: IQuota, ledger: ILedger | None = None, limits: Limiting | None = None) -> None:
        self._quota = quota
        self._ledger = ledger
        self._limits = limits
        self._within = self if limits is None else Limit(quota, ledger)
        self._inner: Responder | None = None
        self._spending: Responder = _nobody

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        limits = self._limits
        if limits is not None:
            principal = request.principal
            # All that limits cost a request that has none.
            if limits.always or principal.token.limits is not UNLIMITED or principal.project.limits is not UNLIMITED:
                if inner is not self._inner:
                    # Once, as what stands further in is always the same.
                    self._inner, self._spending = inner, partial(self._within.respond, inner=inner)
                return limits.respond(request, self._spending)
        record = request.record
        if (record.part_of or record).counted:
            # What it was sent for once did not do: it is one request of its client's, as one that is tried again.
            return inner(request)
        spending = self._quota.spend(request.principal)
        if spending is not None:
            return self._when_spent(spending, request, inner)
        return self._spent(None, request, inner)

    def _spent(self, _: None, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        record = request.record
        # What a call to upstream uses up is counted in the exchange that it is made for.
        record = record.part_of or record
        record.counted = True
        if self._ledger is not None:
            # Here rather than with the answer: it is what is known of one that is interrupted.
            if not record.model and request.route.api.settings.meter is not None:
                record.model = ASKED[request.target].model or model_in(request.body)
            self._ledger.begin(record, leased=request.principal.token.max_requests is not None)
            body = request.body
            if body is not None and type(body) is not BytesBody and not isinstance(body, ReplayableBody):
                learning = _Learning(self._ledger, record)
                request.body = Tap(body, learning.seen, learning.ended)
        try:
            responding = inner(request)
        except Exception:
            self._unused(request)
            raise
        # What has been handed to upstream by now is used, however it ends.
        return responding if request.record.attempts else responding.addBoth(self._answered, request)

    def _answered(self, outcome: Outcome, request: ApiRequest) -> Outcome:
        """Whatever it is: what was not sent has used up nothing."""
        self._unused(request)
        return outcome

    def _unused(self, request: ApiRequest) -> None:
        record, ledger = request.record, self._ledger
        if record.attempts:
            return
        record = record.part_of or record
        # The client that it was spent for may have left, and its record be written: what stands there is true.
        if ledger is None or ledger.is_open(record):
            record.counted = False
            leased = self._quota.give_back(request.principal)
            if ledger is not None:
                ledger.give_back(record, leased=bool(leased))

    def _when_spent(self, spending: Deferred[None], request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        waiting: Deferred[None] = Deferred()

        def taken(_: None) -> None:
            if waiting.called:
                self._quota.give_back(request.principal)
            else:
                waiting.callback(None)

        def refused(reason: Failure) -> None:
            # A client that has left gets no answer.
            if not waiting.called:
                waiting.errback(final(reason))

        spending.addCallbacks(taken, refused)
        return waiting.addCallback(self._spent, request, inner)


def _nobody(request: ApiRequest) -> Deferred[ApiResponse]:
    raise AssertionError("nobody has asked yet")


class _Learning:
    """What a body says on its way of the exchange that it is of: its model, for whom it is."""

    __slots__ = ("_attribution", "_ledger", "_model", "_record")

    def __init__(self, ledger: ILedger, record: Record) -> None:
        self._ledger = ledger
        self._record = record
        self._model, self._attribution = record.model, record.attribution

    def seen(self, _: bytes) -> None:
        record = self._record
        if record.model != self._model or record.attribution is not self._attribution:
            self._model, self._attribution = record.model, record.attribution
            self._ledger.learn(record)

    def ended(self, _: Failure | None) -> None:
        self.seen(b"")


def final(reason: Failure) -> Failure:
    """The failure of a spent quota, which says that it is of no use to try again."""
    error = reason.value
    if isinstance(error, RateLimitExceeded) and not error.fields:
        return Failure(TokenUsedUp(error.description or USED_UP, fields=(DO_NOT_RETRY,)))
    return reason
