"""The attempts at a request: the upstream and the key of each, and the place where retries stand."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from ..core.budget import Budget
from ..core.credentials import keys_for
from ..core.upstreamstate import UpstreamStates
from ..errors import ApiKeyMissing
from .breaker import model_of
from .checking.inspection import RATE
from .modelpeek import peek
from .places import Circuits, Places
from .retryloop import RetryLoop, Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from ..core.balancing import Draw
    from ..core.routing import RoutingTable
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse
    from ..net.timers import TimerWheel
    from .retryloop import Judge

KEPT = 64 * 1024 * 1024
"""Bytes of all bodies together that are kept for another attempt; what is above goes once."""


class Attempts:
    """
    What stands further in runs once for each attempt, for one upstream and one key: they are in C{request.upstream} and
    C{request.key}.

    An API with one upstream, of which nothing is tried again, is asked at once. Any other goes by L{RetryLoop}.

    @param wheel: for waits, and its clock for states.
    @param states: of the upstreams.
    @param circuits: those of the breaker, which stands further in; C{None} where nothing breaks.
    @param table: the APIs that others can fall back to; C{None} for none.
    @param rate: bytes a second at which a body must come that is looked into for its model.
    @param judge: says whether a caller may ask an API, as L{llmproxy.middleware.restrict.Restrict} does.
    """

    def __init__(
        self,
        wheel: TimerWheel,
        states: UpstreamStates | None = None,
        circuits: Circuits | None = None,
        *,
        table: RoutingTable | None = None,
        judge: Judge | None = None,
        draw: Draw = random.random,
        rate: float = RATE,
    ) -> None:
        self._rate = rate
        states = UpstreamStates(() if table is None else table.apis) if states is None else states
        places = Places(states, circuits, wheel.now, draw)
        self._surroundings = Surroundings(wheel, places, table, judge, draw, Budget(KEPT))

    @property
    def kept(self) -> int:
        """Bytes of bodies that are kept now."""
        return self._surroundings.budget.used

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        api = request.route.api
        if not api.is_balanced and api.settings.retry is None:
            upstream = api.upstreams[0]
            if upstream.credential.kind == "none":
                keys: tuple[str, ...] = ("",)
            else:
                project, name = request.principal.project, api.name
                held = project.api_keys
                keys = held[name] if name in held else keys_for(api, upstream, project)
                if not keys:
                    raise ApiKeyMissing(name)
            if len(keys) == 1:
                request.upstream, request.key = upstream, keys[0]
                record = request.record
                record.upstream, record.provider = upstream.name, upstream.provider
                return inner(request)
        model = model_of(request)
        if not model and request.body is not None and any(upstream.serves for upstream in api.upstreams):
            around = self._surroundings
            looking = peek(request, around.budget, around.wheel, api.policy.max_inspected_body, self._rate)
            return looking.addCallback(self._known, request, inner)
        return self._known(model, request, inner)

    def _known(self, model: str, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if model:
            request.model = model
        heard, request.heard = request.heard, None
        responding = RetryLoop(self._surroundings, request, inner, model).start()
        return responding if heard is None else responding.addCallback(_chosen, heard)


def _chosen(response: ApiResponse, heard: Callable[[ApiResponse], object]) -> ApiResponse:
    heard(response)
    return response
