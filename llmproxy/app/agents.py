"""Resources for coding agents, put together: at their paths, by the configuration that is served now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from twisted.logger import Logger

from ..config.agents import AgentModelsConfig, AgentsConfig, AgentSettingsConfig
from ..config.agentsschema import with_content
from ..core import agentpaths
from ..core.agentmodels import claude_list, codex_list
from ..core.agentpaths import OwnPath, is_codex, is_page, own_paths, sign_in_paths
from ..core.glob import any_of
from ..core.limits.allowed import allowed_of
from ..web.agents.access import Access, KnowsCallers, NoPeople
from ..web.agents.managedsettings import ManagedSettings
from ..web.agents.models import AgentModels
from ..web.agents.protocol import Protocol as ProtocolResource
from ..web.agents.telemetry import AgentTelemetry
from .agentsettings import SettingsNotes
from .agenttelemetry import AgentTelemetrySink
from .reloading import on_thread

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ..message import Principal
    from ..web.answerresource import AnswerResource
    from .devicesignin import DeviceSignIn
    from .foundation import Foundation
    from .generation import Generation
    from .generations import Generations
    from .shutdown import Shutdown


class Proxy(Protocol):
    """What is needed of a proxy, as in L{llmproxy.app.tree}."""

    foundation: Foundation
    generations: Generations
    ending: Shutdown

    @property
    def draining(self) -> bool: ...


class AgentPaths:
    """
    Finds the proxy's own resources at paths of coding agents; they are made anew with each configuration.

    @param proxy: whose they are.
    """

    _log = Logger()

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._of: Generation | None = None
        self._settings: Sequence[AgentSettingsConfig] = ()
        self._notes = SettingsNotes(proxy)
        self._claude: dict[bytes, IResource] = {}
        self._codex: dict[bytes, IResource] = {}
        self._made: dict[tuple[str, str], AnswerResource] = {}
        self._access = access_of(proxy)
        self._telemetry = telemetry_of(proxy)
        self._sign_in = sign_in_of(proxy)
        self._use(proxy.generations.current)

    def find(self, target: bytes) -> IResource | None:
        """The resource of a target in origin form; C{None} where there is none of these."""
        generation = self._proxy.generations.current
        if generation is not self._of:
            self._use(generation)
        due = self._notes.due
        if due is not None and due <= self._proxy.foundation.reactor.seconds():
            self._notes.note()
        path, _, query = target.partition(b"?")
        if self._sign_in is not None and is_page(path):
            return self._sign_in.pages
        if path in self._codex and is_codex(query):
            return self._codex[path]
        return self._claude.get(path)

    def reloaded(self, settings: object = None) -> None:
        """Another configuration is served: what it changes is noted without waiting for who asks."""
        try:
            self.find(b"/")
        except ValueError:
            # A file that an application names cannot be read: who asks for what it has is answered so.
            self._log.failure("managed settings cannot be read")

    @property
    def _config(self) -> AgentsConfig:
        return self._proxy.generations.current.config.agents or AgentsConfig()

    def _use(self, generation: Generation) -> None:
        config, default = generation.config.agents or AgentsConfig(), generation.config.default_api
        claude = None if config.claude is None else config.claude.api or default
        codex = None if config.codex is None else config.codex.api or default
        kinds = _kinds(config)
        own = own_paths(generation.table, default, claude, None, kinds)
        if self._sign_in is not None:
            own |= sign_in_paths(generation.table, claude)
        self._claude = {path: self._resource(place, kinds) for path, place in own.items()}
        own = own_paths(generation.table, default, None, codex, kinds)
        self._codex = {path: self._resource(place, kinds) for path, place in own.items()}
        # What a file of configuration names was read with it; what a program names is read now.
        self._settings = [] if config.claude is None else [with_content(each) for each in config.claude.settings]
        self._notes.serve(self._settings)
        self._of = generation

    def _resource(self, place: OwnPath, kinds: Sequence[str]) -> AnswerResource:
        if place.kind == agentpaths.PROTOCOL:
            return ProtocolResource(kinds)
        key = (place.kind, place.name if place.kind == agentpaths.TELEMETRY else place.base)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._make(place)
            self._proxy.ending.wait_for(found)
        return found

    def _make(self, place: OwnPath) -> AnswerResource:
        access = self._access
        if self._sign_in is not None and place.kind in agentpaths.SIGN_IN_PATHS:
            return self._sign_in.endpoint(place.kind, place.base)
        if place.kind == agentpaths.MODELS:
            return AgentModels(access, self._claude_models, partial(self._allows, "claude"), claude_list)
        if place.kind == agentpaths.CODEX_MODELS:
            return AgentModels(access, self._codex_models, partial(self._allows, "codex"), codex_list, "openai")
        if place.kind == agentpaths.SETTINGS:
            return ManagedSettings(access, lambda: self._settings)
        signal = place.name.rpartition("/")[2]
        return AgentTelemetry(access, signal, lambda: self._taker(signal))

    # -- what the configuration says now

    def _claude_models(self) -> Sequence[AgentModelsConfig]:
        return () if self._config.claude is None else self._config.claude.models

    def _codex_models(self) -> Sequence[AgentModelsConfig]:
        return () if self._config.codex is None else self._config.codex.models

    def _taker(self, signal: str) -> Callable[[Any], Any] | None:
        config, sink = self._config.claude, self._telemetry
        if config is None or config.telemetry != "sinks" or sink is None or not sink.wants(signal):
            return None
        return sink.take

    def _allows(self, program: str, principal: Principal, model: str) -> bool:
        """Whether somebody may use a model: by what the API allows, their token, and its project."""
        generation = self._proxy.generations.current
        part = getattr(self._config, program)
        api = generation.table.named((part.api if part is not None else "") or generation.config.default_api)
        rules = None if api is None else api.policy.whitelist.at(_ASKED[program])
        if rules is not None and rules.model is not None and not rules.model.allows(model):
            return False
        lists = (each.models for each in allowed_of(principal, generation.config.usage_limits.defaults))
        return all(any_of(patterns).fullmatch(model) is not None for patterns in lists if patterns is not None)


_ASKED = {"claude": b"/v1/messages", "codex": b"/v1/responses"}
"""Where the programs use a model."""


def _kinds(config: AgentsConfig) -> list[str]:
    """What there is by a configuration."""
    found = []
    if config.claude is not None:
        found += [agentpaths.PROTOCOL, agentpaths.SETTINGS]
        if config.claude.models:
            found.append(agentpaths.MODELS)
        if config.claude.telemetry != "off":
            found.append(agentpaths.TELEMETRY)
    if config.sign_in is not None:
        found.append(agentpaths.METADATA)
    if config.codex is not None and config.codex.models:
        found.append(agentpaths.CODEX_MODELS)
    return found


def access_of(proxy: Proxy) -> Access:
    """Who may ask, by the tokens of a proxy."""
    foundation = proxy.foundation
    return Access(
        foundation.admission.authenticate,
        lambda: proxy.generations.table,
        callers_of(proxy),
        foundation.audit_log,
        lambda: proxy.draining,
    )


def callers_of(proxy: Proxy) -> KnowsCallers:
    """The people behind tokens, where there is an identity provider."""
    identity = proxy.foundation.identity
    if identity is None:
        return NoPeople()
    from .devicesignin import PeopleBehind

    return PeopleBehind(identity.people)


def sign_in_of(proxy: Proxy) -> DeviceSignIn | None:
    """What lets programs in, where people sign in; it is there from the start, or not at all."""
    config, identity = proxy.generations.current.config.agents, proxy.foundation.identity
    if config is None or config.sign_in is None or identity is None:
        return None
    from .devicesignin import DeviceSignIn

    return DeviceSignIn(proxy, identity)


def telemetry_of(proxy: Proxy) -> AgentTelemetrySink | None:
    """What takes telemetry to sinks; C{None} where there is none."""
    foundation = proxy.foundation
    if foundation.events is None:
        return None
    reactor = foundation.reactor
    return AgentTelemetrySink(foundation.events, lambda call: on_thread(reactor, call), reactor.seconds)
