"""Limits of requests without a good token: so many of an address may fail, then they are answered as too many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..core.limits.refusals import error_of
from ..core.limits.values import Asking, UsageLimitSettings, effective
from ..core.limits.verdicts import Part, Refusal, Reservation
from ..errors import Unauthorized

if TYPE_CHECKING:
    from ..interfaces import ILimitStore, Responder
    from ..message import ApiRequest, ApiResponse


class Strangers:
    """
    Right outside of authentication. A request counts when it has been refused there, so that good tokens are let in
    however many bad ones come from their address.

    @param seconds: since the epoch.
    """

    def __init__(self, settings: UsageLimitSettings, store: ILimitStore, seconds: Callable[[], float]) -> None:
        self._settings = settings
        self._store = store
        self._seconds = seconds

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return inner(request).addErrback(self._failed, request)

    def _failed(self, reason: Failure, request: ApiRequest) -> Any:
        if not reason.check(Unauthorized) or request.principal_if_known is not None:
            return reason
        rules = effective(self._settings, Asking(None, None, request.route.api.name, address=request.client))
        outcome = self._store.reserve([Part(rule, 1) for rule in rules])
        if isinstance(outcome, Deferred):
            return outcome.addCallback(self._decided, reason)
        return self._decided(outcome, reason)

    def _decided(self, outcome: Reservation | Refusal, reason: Failure) -> Failure:
        if isinstance(outcome, Refusal):
            return Failure(error_of(outcome, self._seconds()))
        # It has been answered: nothing of it runs.
        self._store.settle(outcome, [None] * len(outcome.parts))
        return reason
