"""A circuit breaker for each upstream and key, so that one tenant's broken key stops nobody else."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from ..bodies import Tap, at_hand
from ..core.breaker import FAILURE_STATUSES, BreakerSettings, Circuit
from ..errors import BreakerOpen, UpstreamError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse

_DEFAULT = BreakerSettings()


class Breaker:
    """
    A head closes a circuit that is half open: nobody waits for the end of a long stream. Failures in a row are
    forgotten only when an answer has come whole, so that an upstream which breaks every body is found out too.

    It stands outside the deadlines, so that a timeout is a failure of upstream and not a cancellation.

    @param most_circuits: the one that was made first makes room for another.
    """

    def __init__(self, clock: IReactorTime, most_circuits: int = 10_000) -> None:
        self._most_circuits = most_circuits
        self._seconds = clock.seconds
        self._circuits: OrderedDict[tuple[str, str], Circuit] = OrderedDict()

    @property
    def not_closed(self) -> int:
        """Circuits that are open or half open."""
        return sum(circuit.state != "closed" for circuit in self._circuits.values())

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        circuit = self._circuit(request)
        now = self._seconds()
        generation = circuit.admit(now)
        if generation is None:
            raise BreakerOpen(retry_after=math.ceil(circuit.until - now))
        return inner(request).addCallbacks(self._head, self._failed, (circuit, generation), {}, (circuit, generation))

    def _circuit(self, request: ApiRequest) -> Circuit:
        api = request.route.api
        key = (api.name, request.principal.project.id)
        circuit = self._circuits.get(key)
        if circuit is None:
            circuit = self._circuits[key] = Circuit(api.settings.get("breaker", _DEFAULT))
            if len(self._circuits) > self._most_circuits:
                self._circuits.popitem(last=False)
        return circuit

    def _head(self, response: ApiResponse, circuit: Circuit, generation: int) -> ApiResponse:
        if response.status in FAILURE_STATUSES:
            circuit.failed(generation, self._seconds())
        elif response.body is None or at_hand(response.body):
            circuit.succeeded(generation)
        else:
            if circuit.state != "closed":
                circuit.succeeded(generation)
            response.body = Tap(response.body, None, lambda reason: self._body(reason, circuit, generation))
        return response

    def _failed(self, reason: Failure, circuit: Circuit, generation: int) -> Failure:
        error = reason.value
        if isinstance(error, UpstreamError):
            circuit.failed(generation, self._seconds())
        else:
            # The client left, or we refused: that says nothing of upstream.
            circuit.abandoned(generation, self._seconds())
        return reason

    def _body(self, reason: Failure | None, circuit: Circuit, generation: int) -> None:
        if reason is None:
            circuit.succeeded(generation)
        elif isinstance(reason.value, UpstreamError) and getattr(reason.value, "phase", "") != "request":
            # A stream that talks for longer than it is allowed to is not broken.
            circuit.failed(generation, self._seconds())
