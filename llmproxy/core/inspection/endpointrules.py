"""Whitelists by endpoint: which parameters are checked at a path, and which paths are left unchecked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from ...errors import EndpointNotFound
from ..endpoints import Endpoints, settled
from ..pathmodels import models_allowed, plainest, uncheckable
from ..places import Places
from . import positions
from .whitelist import EveryRule, ParamRule, Whitelist

Patterns = Mapping[str, Sequence[str]]
"""By the name of a parameter, what its value must match one of."""

PatternsByEndpoint = Mapping[str, "Sequence[str] | Patterns"]
"""The same; a name that begins with a slash is an endpoint, and has patterns of its own below it."""


@frozen
class Rules:
    """
    What is checked at a path.

    @ivar parameters: by name, as they were written.
    @ivar bodies: of request bodies, queries and messages of a WebSocket.
    @ivar lines: of the lines of a batch file.
    @ivar model: the rule of the model, if there is one that does not allow anything.
    @ivar places: where APIs carry models and parameters.
    @ivar calls: the rule of the endpoint that a call of a batch is for; C{None} for none.
    """

    parameters: Mapping[str, ParamRule]
    bodies: Whitelist
    lines: Whitelist
    model: ParamRule | None
    places: Places
    calls: ParamRule | None = None

    @classmethod
    def compile(
        cls,
        patterns: Patterns,
        places: Places,
        methods: tuple[bytes, ...] = (),
        also: ParamRule | None = None,
        calls: ParamRule | None = None,
    ) -> Rules:
        """
        @param methods: those that are allowed, empty for all; a form that asks for another one is refused.
        @param also: a further rule of the model.
        @param calls: of the endpoint that a batch is for, as it is made, and each of its lines.
        """
        parameters = {name: positions.rule_of(name, each, places) for name, each in patterns.items()}
        if also is not None:
            name = next((name for name in parameters if positions.is_model(name)), positions.MODEL)
            parameters[name] = EveryRule.both(parameters[name], also) if name in parameters else also
        model = next((rule for name, rule in parameters.items() if positions.is_model(name)), None)
        return cls(
            parameters,
            positions.of_bodies(parameters, places, methods, {} if calls is None else {positions.ENDPOINT: calls}),
            positions.of_lines(parameters, places),
            None if model is None or model.anything else model,
            places,
            calls,
        )

    def check_path(self, path: bytes) -> None:
        """
        @raise ParamNotAllowed: the path names a model that is not allowed.
        """
        if self.model is not None:
            refused = models_allowed(path, self.model.allows, self.places)
            if refused is not None:
                raise self.model.refusal(refused)

    def is_unseen(self, path: bytes) -> bool:
        """Whether there is a rule of the model, and what is sent to C{path} cannot be judged by it."""
        return self.model is not None and uncheckable(path, self.places)


@frozen
class EndpointRules:
    """
    @ivar general: what holds where no endpoint says otherwise; C{None} for nothing.
    @ivar unchecked: entries where nothing is checked.
    @ivar by_endpoint: what holds at endpoints that have rules of their own, by their entry.
    """

    general: Rules | None
    unchecked: tuple[str, ...]
    by_endpoint: Mapping[str, Rules]
    _plainest: Mapping[bytes, str]
    _entries: Endpoints
    _lenient: Endpoints
    _open: Endpoints
    _patterns: PatternsByEndpoint
    _places: Places
    _methods: tuple[bytes, ...]
    _everywhere: Rules | None = None

    @classmethod
    def compile(
        cls,
        patterns: PatternsByEndpoint,
        unchecked: Sequence[str] = (),
        *,
        places: Places,
        methods: tuple[bytes, ...] = (),
        also: ParamRule | None = None,
        calls: ParamRule | None = None,
    ) -> EndpointRules:
        """
        @param places: where APIs carry models and parameters; a place that is not among them is not checked.
        @param methods: see L{Rules.compile}.
        @param also: a rule of the model that holds everywhere, at C{unchecked} endpoints too.
        @param calls: of the endpoints of a batch, likewise.
        """
        general, own = apart(patterns)
        more = (places, methods, also, calls)
        by_entry = {entry: Rules.compile({**general, **each}, *more) for entry, each in own.items()}
        everywhere = None if also is None and calls is None else Rules.compile({}, *more)
        return cls(
            Rules.compile(general, *more) if general else everywhere,
            tuple(unchecked),
            by_entry,
            {plainest(entry.encode()): entry for entry in by_entry},
            Endpoints.compile(by_entry),
            Endpoints.compile(plainest(entry.encode()).decode() for entry in by_entry),
            Endpoints.compile(unchecked),
            patterns,
            places,
            methods,
            everywhere,
        )

    def beside(self, models: ParamRule | None, calls: ParamRule | None) -> EndpointRules:
        """The same with a caller's rules of the model, and of the endpoints of a batch, which hold everywhere."""
        return EndpointRules.compile(
            self._patterns, self.unchecked, places=self._places, methods=self._methods, also=models, calls=calls
        )

    @property
    def places(self) -> Places:
        """Where APIs carry models and parameters."""
        return self._places

    def __bool__(self) -> bool:
        return self.general is not None or bool(self.by_endpoint)

    def __iter__(self) -> Iterator[tuple[str, Rules]]:
        """Each endpoint with its rules, what holds in general first and as C{""}."""
        if self.general is not None:
            yield "", self.general
        yield from self.by_endpoint.items()

    def at(self, path: bytes) -> Rules | None:
        """
        What is checked at a path; C{None} for nothing.

        An endpoint keeps the general rules for parameters that it says nothing of.

        @raise EndpointNotFound: upstream could take the path for one of another endpoint than it is by its letters.
        """
        plain = settled(path) or path
        if self.unchecked and self._open.find(plain) is not None:
            return self._everywhere
        if not self.by_endpoint:
            return self.general
        entry = self._entries.find(plain)
        lenient = self._lenient.find(plainest(path))
        if self._plainest.get(b"" if lenient is None else lenient.encode()) != entry:
            raise EndpointNotFound("the path can be read in two ways")
        return self.general if entry is None else self.by_endpoint[entry]


def apart(patterns: PatternsByEndpoint) -> tuple[dict[str, Sequence[str]], dict[str, Patterns]]:
    """What holds in general, and what holds at endpoints."""
    general: dict[str, Sequence[str]] = {}
    own: dict[str, Patterns] = {}
    for name, value in patterns.items():
        if isinstance(value, Mapping):
            own[name] = value
        else:
            general[name] = value
    return general, own
