"""Spends a use of a limited token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..interfaces import IQuota, Responder
    from ..message import ApiRequest, ApiResponse


class Limit:
    """A request that never reached upstream gives its use back."""

    def __init__(self, quota: IQuota) -> None:
        self._quota = quota

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        spending = self._quota.spend(request.principal)
        if spending is not None:
            return spending.addCallback(lambda _: self._spent(request, inner))
        return self._spent(request, inner)

    def _spent(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return inner(request).addErrback(self._unused, request)

    def _unused(self, reason: Failure, request: ApiRequest) -> Failure:
        if not request.record.attempts:
            self._quota.give_back(request.principal)
        return reason
