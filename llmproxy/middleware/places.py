"""The places that an attempt at a request can go to: one upstream and one key each, chosen by their state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol

from attrs import define, field, frozen

from ..core.balancing import Candidate, Draw, Standing, choose, grown, in_panic
from ..core.credentials import keys_for
from ..core.glob import any_of

if TYPE_CHECKING:
    import re

    from ..core.upstreamstate import UpstreamState, UpstreamStates
    from ..message import Api, ApiRequest, Project, Route
    from ..origin import Upstream


_NOTHING: Mapping[Upstream, str] = {}


class Circuits(Protocol):
    """What the choice asks a breaker: L{llmproxy.middleware.breaker.Breaker} answers."""

    def is_open(self, api: Api, upstream: Upstream, project: Project, key: str, model: str) -> bool:
        """Whether it would refuse such a request now."""


@frozen(eq=False)
class Place:
    """
    @ivar route: the API that is asked there, as if the caller had asked for it.
    @ivar forced: it is asked although its circuit is open, since too few others are well.
    @ivar is_elsewhere: it belongs to another API than the caller has asked.
    """

    route: Route
    upstream: Upstream
    key: str = field(repr=False)
    state: UpstreamState
    standing: Standing = "well"
    forced: bool = False
    is_elsewhere: bool = False


@define(eq=False)
class Tried:
    """
    What is not asked again while there is anything else.

    @ivar upstreams: that failed, whatever the key.
    @ivar keys: that were refused, with their upstream.
    """

    upstreams: set[Upstream] = field(factory=set)
    keys: set[tuple[Upstream, str]] = field(factory=set, repr=False)


class Places:
    """
    @param circuits: C{None} where nothing breaks.
    @param seconds: of the steady clock that states and circuits are kept by.
    """

    def __init__(
        self, states: UpstreamStates, circuits: Circuits | None, seconds: Callable[[], float], draw: Draw
    ) -> None:
        self._states = states
        self._circuits = circuits
        self._seconds = seconds
        self._draw = draw
        self._served: dict[Upstream, re.Pattern[str]] = {}

    def choose(
        self,
        request: ApiRequest,
        route: Route,
        model: str,
        tried: Tried | None = None,
        *,
        elsewhere: bool = False,
        brought: Mapping[Upstream, str] = _NOTHING,
    ) -> Place | None:
        """
        @param brought: the client's own credentials, by the upstream that each is for.
        The place of an attempt; C{None} where none is left: each was tried, has no key for the caller, does not serve
        the model, or is drained.
        """
        balance, now = route.api.settings.balance, self._seconds()
        tried = tried or Tried()
        found: list[tuple[Candidate, Upstream, tuple[str, ...]]] = []
        for upstream in route.api.upstreams:
            if upstream in tried.upstreams or not self.serves(upstream, model):
                continue
            keys = self._keys(request, route.api, upstream, tried.keys, brought)
            if keys:
                candidate, usable = self._candidate(request, route.api, upstream, keys, model, now)
                found.append((candidate, upstream, usable))
        sticky = sticky_of(request, balance.sticky) if balance.sticky else b""
        candidates = [candidate for candidate, _, _ in found]
        chosen = choose(candidates, balance.by, self._draw, sticky=sticky, panic_threshold=balance.panic_threshold)
        if chosen is None:
            return None
        upstream, usable = next((at, keys) for candidate, at, keys in found if candidate is chosen)
        state = self._states.of(upstream)
        key = state.keys.choose(usable, balance.keys, now)
        forced = in_panic(chosen, balance.panic_threshold)
        return Place(route, upstream, key, state, chosen.standing, forced, elsewhere)

    def serves(self, upstream: Upstream, model: str) -> bool:
        """Whether an upstream can be asked for a model; one that is not known can be anywhere."""
        if not upstream.serves or not model:
            return True
        pattern = self._served.get(upstream)
        if pattern is None:
            pattern = self._served[upstream] = any_of(upstream.serves)
        return pattern.fullmatch(model) is not None

    def _keys(
        self,
        request: ApiRequest,
        api: Api,
        upstream: Upstream,
        tried: Collection[tuple[Upstream, str]],
        brought: Mapping[Upstream, str],
    ) -> tuple[str, ...]:
        if upstream.key_source == "client":
            keys: tuple[str, ...] = (brought[upstream],) if upstream in brought else ()
        else:
            keys = ("",) if upstream.credential.kind == "none" else keys_for(api, upstream, request.principal.project)
        return tuple(key for key in keys if (upstream, key) not in tried) if tried else keys

    def _candidate(
        self, request: ApiRequest, api: Api, upstream: Upstream, keys: tuple[str, ...], model: str, now: float
    ) -> tuple[Candidate, tuple[str, ...]]:
        """An upstream as the choice sees it, and the keys that it can be asked with."""
        state, circuits = self._states.of(upstream), self._circuits
        usable = keys
        if circuits is not None:
            project = request.principal.project
            usable = tuple(key for key in keys if not circuits.is_open(api, upstream, project, key, model))
        rest = all(state.keys.rests(key, now) for key in usable) if state.keys.until else False
        standing = state.standing(now, circuit_open=not usable, keys_rest=rest)
        weight = grown(float(upstream.weight), state.back_for(now), api.settings.balance.slow_start)
        latency = state.latency(now)
        candidate = Candidate(upstream.name, weight, upstream.priority, standing, state.in_flight, latency)
        return candidate, usable or keys


def sticky_of(request: ApiRequest, sticky: str) -> bytes:
    """What decides where a request goes that is to go where others went; C{b""} if it does not say."""
    if sticky == "project":
        return request.principal.project.id.encode()
    if sticky == "token":
        return request.principal.token.id.encode()
    name = sticky.partition(":")[2].encode("latin-1")
    return next((value for each, value in request.fields if each.lower() == name), b"")
