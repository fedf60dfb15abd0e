"""A circuit breaker around any responder, for those who compose a chain of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred

from ..apisettings import BreakerSettings
from ..bodies import Tap, at_hand
from ..core.breaker import FAILURE_STATUSES, Circuit
from ..errors import BodyStopped, BreakerOpen, ClientLeft, ProxyError

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse

_OF_THE_CLIENT = (CancelledError, ClientLeft, BodyStopped)


def is_failure_status(status: int) -> bool:
    """502, 503 and 504: what the reference counts, an upstream that is overloaded or away."""
    return status in FAILURE_STATUSES


class CircuitBreaker:
    """
    One circuit for all that passes: make several where several are wanted. The proxy's own, which has one for each
    upstream, key and model, is L{llmproxy.middleware.breaker.Breaker}.

    An answer or an error whose status is transient is a failure, and so are a body that breaks and any exception that
    is none of the proxy's; other errors of the proxy (a refusal further in) and clients that leave say nothing. While
    it is open, requests fail with L{BreakerOpen} (503, with C{Retry-After}); then one of them is the probe.

    @param seconds: of any steady clock.
    @param is_transient: whether a status is a failure.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        settings: BreakerSettings,
        is_transient: Callable[[int], bool] = is_failure_status,
    ) -> None:
        self._seconds = seconds
        self._is_transient = is_transient
        self._circuit = Circuit(settings)

    @property
    def state(self) -> str:
        """C{closed}, C{open} or C{half open}."""
        return self._circuit.state

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        now = self._seconds()
        ticket = self._circuit.admit(now)
        if ticket is None:
            raise self._refusal(now)
        return maybeDeferred(inner, request).addCallbacks(self._head, self._failed, (ticket,), {}, (ticket,))

    def _head(self, response: ApiResponse, ticket: int) -> ApiResponse:
        if self._is_transient(response.status):
            self._count(ticket, f"status {response.status}")
            return response
        if response.body is None or at_hand(response.body):
            self._circuit.succeeded(ticket)
            return response
        if self._circuit.state == "half open":
            # The others do not wait for the end of a long stream.
            self._circuit.succeeded(ticket)
        response.body = Tap(response.body, None, lambda reason: self._ended(reason, ticket))
        return response

    def _failed(self, reason: Failure, ticket: int) -> Failure:
        error = reason.value
        foreign = not isinstance(error, (ProxyError, *_OF_THE_CLIENT))
        if foreign or (isinstance(error, ProxyError) and self._is_transient(error.status)):
            self._count(ticket, type(error).__name__)
        else:
            self._circuit.abandoned(ticket, self._seconds())
        return reason

    def _ended(self, reason: Failure | None, ticket: int) -> None:
        if reason is None:
            self._circuit.succeeded(ticket)
        elif not reason.check(*_OF_THE_CLIENT):
            self._count(ticket, "an answer that broke off")

    def _count(self, ticket: int, reason: str) -> None:
        self._circuit.failed(ticket, self._seconds(), reason)

    def _refusal(self, now: float) -> BreakerOpen:
        circuit = self._circuit
        words = f"nothing is asked for now, after {circuit.failures} failures in a row; the last one: {circuit.reason}"
        return BreakerOpen(words, retry_after=math.ceil(circuit.until - now))
