"""A circuit breaker for each upstream, key and model, so that one tenant's broken key stops nobody else."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Callable, Container
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from twisted.logger import Logger

from ..apisettings import BreakerSettings
from ..bodies import BytesBody, Tap
from ..composition import NO_KEYWORDS
from ..core.breaker import EVIDENCE, FAILURE_STATUSES, Circuit
from ..core.causes import PHRASES, cause_of
from ..core.circuits import Circuits, CircuitState, CircuitTally
from ..core.credentials import owner_of
from ..core.lograte import LogRate
from ..core.masking import mask
from ..errors import BreakerOpen
from ..providers.models import model_in_target

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Project
    from ..origin import Upstream

MOST_SHOWN = 1000
"""Circuits that are shown to those who ask for the state."""


class Breaker:
    """
    A head closes a circuit that is half open: nobody waits for the end of a long stream. Failures in a row are
    forgotten only when an answer has come whole, so that an upstream which breaks every body is found out too.

    An API whose C{settings.breaker} is C{None} has none.

    It stands outside the deadlines, so that a connection that is not made in time is a failure and not a cancellation.

    @param most_keys: upstreams and keys that are remembered; the one that was used first makes room for another.
    @param openings: where it counts by API how often a circuit has opened.
    @param is_transient: whether a status is a failure of the key, in place of C{statuses} of the settings.
    @param log: where it says that one has opened; C{None} for the log of this module.
    """

    _log: ClassVar = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        most_keys: int = 10_000,
        openings: dict[str, int] | None = None,
        is_transient: Callable[[int], bool] | None = None,
        log: Logger | None = None,
    ) -> None:
        self._most_keys = most_keys
        self._seconds = clock.seconds
        self._is_transient = is_transient
        self._openings = {} if openings is None else openings
        self._warn = (self._log if log is None else log).warn
        self._rate = LogRate()
        # By the name of the API, the place, the project whose key it is (C{""} for a key that many use, and for none),
        # and the key.
        self._keys: OrderedDict[tuple[str, str, str, str], Circuits] = OrderedDict()

    def count_in(self, openings: dict[str, int]) -> None:
        """Count there from now on how often a circuit has opened, by API."""
        self._openings = openings

    def take_over(self, former: Breaker, places: Container[tuple[str, str]]) -> None:
        """
        Go on with the circuits of C{former} for C{places}, APIs and the URLs of upstreams that they still have: what is
        broken there is not asked anew by everybody because something else is configured differently. Both see what
        either counts.
        """
        self._keys.update((key, circuits) for key, circuits in former._keys.items() if key[:2] in places)

    def states(self) -> list[CircuitState]:
        """The circuits that are not closed, or have counted a failure since the last success."""
        now, process = self._seconds(), os.getpid()
        troubled = (
            CircuitState(
                api,
                project,
                # Callers name it: it may be anything.
                mask(model),
                circuit.state,
                circuit.failures,
                circuit.reason,
                max(0.0, circuit.until - now) if circuit.state == "open" else 0.0,
                process,
            )
            for (api, _, project, _), circuits in self._keys.items()
            for model, circuit in circuits.troubled()
        )
        return list(islice(troubled, MOST_SHOWN))

    def tallies(self) -> dict[tuple[str, str], CircuitTally]:
        """How the circuits of each upstream are, by the API and the URL of the upstream."""
        found: dict[tuple[str, str], CircuitTally] = {}
        for (api, url, _, _), circuits in self._keys.items():
            found.setdefault((api, url), CircuitTally()).count(circuits)
        return found

    def is_open(self, api: Api, upstream: Upstream, project: Project, key: str, model: str) -> bool:
        """Whether such a request would be refused now; it becomes no probe by asking."""
        circuits = self._keys.get((api.name, upstream.url, owner_of(api.name, upstream, project), key))
        if circuits is None or api.settings.breaker is None:
            return False
        now, of_model = self._seconds(), circuits.models.get(model)
        return circuits.connection.refuses(now) or (of_model is not None and of_model.refuses(now))

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        api = request.route.api
        settings = api.settings.breaker
        if settings is None:
            return inner(request)
        name, upstream = api.name, request.upstream
        key = (name, upstream.url, owner_of(name, upstream, request.principal.project), request.key)
        try:
            circuits = self._keys[key]
        except KeyError:
            circuits = self._circuits(key, settings)
        now = self._seconds()
        ticket = circuits.connection.admit(now)
        if ticket is None:
            if request.forced:
                return inner(request)
            raise _refusal(name, "", circuits.connection, now)
        if circuits.models:
            self._admit_model(request, circuits, ticket, now)
        passed = (request, circuits, ticket)
        return inner(request).addCallbacks(self._head, self._failed, passed, NO_KEYWORDS, passed)

    def _circuits(self, key: tuple[str, str, str, str], settings: BreakerSettings) -> Circuits:
        api, _, owner, _ = key
        circuits = self._keys[key] = Circuits(api, owner, settings)
        if len(self._keys) > self._most_keys:
            self._keys.popitem(last=False)
        return circuits

    def _admit_model(self, request: ApiRequest, circuits: Circuits, ticket: int, now: float) -> None:
        """The model may have a circuit of its own: then that decides too."""
        model = model_of(request)
        circuit = circuits.models.get(model)
        if circuit is not None and circuit.admit(now, ticket) is None:
            circuits.connection.abandoned(ticket, now)
            raise _refusal(circuits.api, model, circuit, now)

    # -- what came of it

    def _head(self, response: ApiResponse, request: ApiRequest, circuits: Circuits, ticket: int) -> ApiResponse:
        if response.status >= 500 or circuits.settings.statuses or self._is_transient is not None:
            if self._is_failure(response.status, request, circuits, ticket):
                return response
        if response.body is None or isinstance(response.body, BytesBody):
            circuits.connection.succeeded(ticket)
            if circuits.models:
                circuits.succeeded(model_of(request), ticket)
            return response
        model = model_of(request)
        circuits.answers(model, ticket)
        response.body = Tap(response.body, None, lambda reason: self._ended(reason, circuits, model, ticket))
        return response

    def _is_failure(self, status: int, request: ApiRequest, circuits: Circuits, ticket: int) -> bool:
        statuses = circuits.settings.statuses
        of_key = status in statuses if self._is_transient is None and statuses else False
        if self._is_transient is not None:
            of_key = self._is_transient(status)
        if of_key:
            self._count(circuits, circuits.connection, ticket, f"status {status}")
            return True
        if statuses is not None or status not in FAILURE_STATUSES:
            return False
        # An answer all the same: the connection is well.
        circuits.connection.succeeded(ticket)
        self._count_model(circuits, model_of(request), ticket, f"status {status}")
        return True

    def _failed(self, reason: Failure, request: ApiRequest, circuits: Circuits, ticket: int) -> Failure:
        self._judge(reason, circuits, model_of(request), ticket)
        return reason

    def _ended(self, reason: Failure | None, circuits: Circuits, model: str, ticket: int) -> None:
        if reason is not None:
            self._judge(reason, circuits, model, ticket)
            return
        circuits.connection.succeeded(ticket)
        circuits.succeeded(model, ticket)

    def _judge(self, reason: Failure, circuits: Circuits, model: str, ticket: int) -> None:
        """Count a failure where it belongs; what the client or we did belongs nowhere."""
        cause = cause_of(reason.value)
        evidence = "none" if cause is None else EVIDENCE[cause]
        if cause is not None and evidence == "request" and model:
            self._count_model(circuits, model, ticket, PHRASES[cause])
        elif cause is not None and evidence != "none":
            self._count(circuits, circuits.connection, ticket, PHRASES[cause])
        circuits.abandoned(model, ticket, self._seconds())

    def _count_model(self, circuits: Circuits, model: str, ticket: int, reason: str) -> None:
        circuit = circuits.failing(model, ticket) if model else None
        if circuit is not None:
            self._count(circuits, circuit, ticket, reason, model)

    def _count(self, circuits: Circuits, circuit: Circuit, ticket: int, reason: str, model: str = "") -> None:
        now = self._seconds()
        if not circuit.failed(ticket, now, reason):
            return
        self._openings[circuits.api] = self._openings.get(circuits.api, 0) + 1
        count = self._rate.due(circuits.api, now)
        if count is not None:
            self._warn(
                "circuit of {api}{model} opened for {cooldown} s, project {project}: {failures} failures in a row,"
                " the last one: {reason} [{count} since the last line]",
                api=circuits.api,
                model=f" for the model {mask(model)}" if model else "",
                cooldown=circuit.settings.cooldown,
                project=circuits.project,
                failures=circuit.failures,
                reason=reason,
                count=count,
            )


def model_of(request: ApiRequest) -> str:
    """The model that a request is known to be for, or C{""}."""
    return request.model or model_in_target(request.target)


def _refusal(api: str, model: str, circuit: Circuit, now: float) -> BreakerOpen:
    what = f"{api} for the model {mask(model)}" if model else api
    description = (
        f"{what} is not asked for now, after {circuit.failures} failures in a row; the last one: {circuit.reason}"
    )
    return BreakerOpen(description, retry_after=math.ceil(circuit.until - now))
