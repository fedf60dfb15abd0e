"""The configuration as values: what the YAML says, checked, and not yet compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, fields, frozen

from ..apisettings import USUAL_IDLE, AttributionSettings, CacheSettings, MeterSettings, Scope
from ..core.caching.settings import DEFAULT
from ..core.clientlimits import Limits
from ..core.ledger.settings import LedgerOptions
from ..message import Dialect
from ..origin import CredentialPlace
from ..providers.registry import AUTH
from .capture import CaptureConfig
from .fallbacks import no_fallback
from .redis import RedisConfig
from .tls import TlsConfig
from .upstreams import BalanceConfig, RetryConfig, UpstreamConfig, differ, mixed_up, repeated
from .usagelimits import UsageLimitsConfig

if TYPE_CHECKING:
    from ..core.inspection.endpointrules import PatternsByEndpoint
    from .agents import AgentsConfig
    from .identity import IdentityConfig
    from .prices import PriceConfig
    from .sinks import SinkConfig
    from .tracing import TracingConfig


def _tuple(values: Iterable[Any]) -> Any:
    # Anything else is wrong, and is to be found so by validate: a text is no list of letters.
    return tuple(values) if _is_list(values) else values


def _tuple_or_none(values: Iterable[str] | None) -> Any:
    return None if values is None else _tuple(values)


def _projects(names: str | Iterable[str]) -> Any:
    found = _tuple(names)
    return frozenset(found) if isinstance(found, tuple) and all(isinstance(name, str) for name in found) else found


def _is_list(values: object) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))


@frozen
class TimeoutConfig:
    """
    Seconds; C{None} is no limit. The defaults are those of today's traffic: models think for minutes before the first
    byte, and close kept connections after five seconds (C{docs/reference-names.md} has the reference's).

    @ivar request: the whole exchange.
    @ivar response_header: until the response head, once the request has been sent.
    @ivar idle_connection: how long an unused upstream connection is kept; an upstream that says C{Keep-Alive: timeout=}
        is believed, see L{llmproxy.core.keeping}.
    @ivar expect_continue: how long C{Expect: 100-continue} waits for upstream before the body is sent anyway.
    @ivar flush_interval: read and kept because the reference's files have it; every chunk is
        passed on at once, so nothing waits for it.
    @ivar connect: until a connection stands.
    @ivar silence: the longest gap within a body.
    """

    request: float | None = None
    response_header: float | None = 600.0
    idle_connection: float | None = USUAL_IDLE
    flush_interval: float = 0.0
    connect: float | None = 10.0
    silence: float | None = 600.0
    expect_continue: float | None = 1.0


@frozen
class ConnectionConfig:
    """
    How upstream is reached.

    @ivar max_conns_per_host: C{None} is no limit.
    @ivar max_lifetime: seconds after which a connection takes no further request, so that a changed address is noticed;
        C{None} is no limit.
    @ivar ca_file: PEM file of the authorities to trust instead of the system's.
    @ivar client_cert: PEM file, for an upstream that asks for a certificate.
    @ivar verify: whether the certificate of upstream must be valid.
    @ivar proxy_from_environment: whether C{HTTPS_PROXY} and its like are honoured, as by the reference.
    @ivar http2: whether upstreams of C{https://} are offered HTTP/2.
    """

    max_idle_conns: int = 100
    max_idle_conns_per_host: int = 20
    max_conns_per_host: int | None = None
    max_lifetime: float | None = 600.0
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool = True
    proxy_from_environment: bool = True
    http2: bool = False


@frozen
class BreakerConfig:
    """
    @ivar threshold: failures in a row that open the circuit.
    @ivar cooldown: seconds until one request may try again.
    @ivar statuses: answers that count as failures of the key, see L{llmproxy.core.breaker.BreakerSettings}; it is the
        C{isTransient} of the reference, whose own are 502, 503 and 504.
    @ivar enabled: C{False} lets every request through.
    """

    threshold: int = 5
    cooldown: float = 30.0
    statuses: Sequence[int] | None = None
    enabled: bool = True


@frozen
class MeterConfig:
    """
    What one API says of its meter, see L{MeterSettings}.

    @ivar enabled: C{None} is on where the vendor is known, by C{base_url}, the name of the API or its dialect, and
        where one of the others asks for something.
    """

    enabled: bool | None = None
    include_usage: Literal["keep", "inject"] = "keep"
    usage_trailer: bool = False
    estimate: bool = False

    @property
    def asks(self) -> bool:
        """Whether more is wanted than that answers are read."""
        return self.include_usage != "keep" or self.usage_trailer or self.estimate

    def settings(self, *, known: bool) -> MeterSettings | None:
        """
        @param known: whether the vendor is known.
        @return: C{None} for an API whose answers are not read.
        """
        if not (known or self.asks if self.enabled is None else self.enabled):
            return None
        return MeterSettings(self.include_usage, self.usage_trailer, self.estimate)


@frozen
class AttributionConfig:
    """
    What one API says of the attribution of its requests, see L{AttributionSettings}.

    @ivar enabled: C{False} notes nothing of what requests say of themselves.
    @ivar tags: the names that C{X-LLMProxy-Tags} may have; C{None} is all.
    @ivar project_tags: further ones, by the name or id of a project.
    @ivar hash: what is kept as hashes.
    @ivar bodies: whether request bodies are looked into; C{None} is where the vendor is known.
    @ivar programs: products of C{User-Agent} that are known besides.
    """

    enabled: bool = True
    tags: tuple[str, ...] | None = field(default=None, converter=_tuple_or_none)
    project_tags: Mapping[str, tuple[str, ...]] = field(factory=dict)
    hash: tuple[str, ...] = field(default=(), converter=_tuple)
    bodies: bool | None = None
    programs: tuple[str, ...] = field(default=(), converter=_tuple)

    def settings(self, *, known: bool) -> AttributionSettings | None:
        """
        @param known: whether the vendor is known.
        @return: C{None} for an API whose requests are not looked at.
        """
        if not self.enabled:
            return None
        return AttributionSettings(
            None if self.tags is None else frozenset(self.tags),
            {project: frozenset(names) for project, names in self.project_tags.items()},
            frozenset(self.hash),
            known if self.bodies is None else self.bodies,
            frozenset(name.lower() for name in self.programs),
        )


@frozen
class CacheConfig:
    """What one API says of its caching, see L{CacheSettings}; C{None} is what holds for all."""

    enabled: bool | None = None
    scope: Scope | None = None
    post: Literal["off", "opt_in"] | None = None
    post_max_body: int | None = None
    post_max_age: float | None = None
    streams: bool | None = None
    default_ttl: float | None = None
    heuristic: float | None = None
    heuristic_max: float | None = None
    max_object: int | None = None
    keep_stale: float | None = None
    wait: float | None = None

    def settings(self, defaults: CacheSettings = DEFAULT) -> CacheSettings:
        """With C{defaults} where nothing is said."""
        said = {a.name: getattr(self, a.name) for a in fields(CacheConfig)}
        return evolve(defaults, **{name: value for name, value in said.items() if value is not None})

    def with_defaults(self, defaults: CacheSettings) -> CacheConfig:
        """The same, with everything said."""
        settings = self.settings(defaults)
        return CacheConfig(**{a.name: getattr(settings, a.name) for a in fields(CacheConfig)})


@frozen
class APIProviderConfig:
    """
    One API.

    @ivar base_url: C{http} or C{https}; its path, if any, stands before every target.
    @ivar allowed_endpoints: paths, or beginnings of paths on the border of a segment.
    @ivar param_whitelist: by the name of a parameter, the glob patterns that its value must match one of; by an
        endpoint (it begins with a slash) the same for what lies below it, which stands above what holds in general.
    @ivar unchecked_endpoints: where C{param_whitelist} does not hold.
    @ivar auth: where the API wants its key.
    @ivar key: one of the API's own, for the projects in C{own_key_for} that have none for it.
    @ivar own_key_for: their names or ids, or C{"all"}; empty is nobody.
    @ivar dialect: the shape of the proxy's own error answers.
    @ivar debug_headers: whether answers carry fields about the proxy's own work.
    @ivar meter: how its answers are read for what they used.
    @ivar attribution: what is noted of what its requests say of themselves.
    @ivar forwarded_fields: what upstream learns of the client by C{X-Forwarded-*} and its like: C{strip} nothing,
        C{pass} what the client claims, C{append} that and the hop to us, C{set} what we know.
    @ivar capture: what events have of what was said; C{None} is what C{OBSERVABILITY_ENABLED} says, else nothing.
    @ivar filter_models: whether lists of models show a caller only those that it may use.
    @ivar rewrite_locations: whether C{Location} and its like that point to upstream are made to point to the proxy.
    @ivar max_inspected_body: bytes of a request body that a C{param_whitelist} may need to see.
    @ivar upstreams: its places, where it has several, instead of C{base_url}.
    @ivar headers: fields that every request gets, in place of those of the same name.
    @ivar balance: how one of the places is chosen.
    @ivar sticky: what goes to the same place: C{project}, C{token} or C{header:NAME}.
    @ivar retry: what is tried again; nothing if C{None}.
    @ivar fallback: APIs of the same dialect that are asked where this one cannot be.
    """

    base_url: str = ""
    allowed_endpoints: tuple[str, ...] = field(default=(), converter=_tuple)
    allowed_methods: tuple[str, ...] = field(default=(), converter=_tuple)
    timeouts: TimeoutConfig = TimeoutConfig()
    connection: ConnectionConfig = ConnectionConfig()
    param_whitelist: PatternsByEndpoint = field(factory=dict)
    unchecked_endpoints: tuple[str, ...] = field(default=(), converter=_tuple)
    allowed_origins: tuple[str, ...] = field(default=(), converter=_tuple)
    required_headers: tuple[str, ...] = field(default=(), converter=_tuple)
    auth: CredentialPlace = AUTH["bearer"]
    key: str | None = field(default=None, repr=False)
    own_key_for: Literal["all"] | frozenset[str] = field(default=frozenset(), converter=_projects)
    dialect: Dialect = "proxy"
    debug_headers: bool = False
    breaker: BreakerConfig = BreakerConfig()
    cache: CacheConfig = CacheConfig()
    meter: MeterConfig = MeterConfig()
    attribution: AttributionConfig = AttributionConfig()
    forwarded_fields: str = "strip"
    rewrite_locations: bool = True
    max_inspected_body: int = 10 * 1024 * 1024
    upstreams: tuple[UpstreamConfig, ...] = field(default=(), converter=_tuple)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    balance: BalanceConfig = field(factory=BalanceConfig)
    sticky: str = ""
    retry: RetryConfig | None = None
    fallback: tuple[str, ...] = field(default=(), converter=_tuple)
    filter_models: bool = False
    capture: CaptureConfig | None = None

    @property
    def forwarding(self) -> str:
        """L{forwarded_fields}, as it holds."""
        return self.forwarded_fields

    def incomplete(self, name: str) -> Iterator[tuple[str, str]]:
        """What the reference demands of every API and this one lacks: the key, and a sentence."""
        if not self.base_url and not self.upstreams:
            yield "base_url", f"API {name!r} has empty base_url"
        if not self.allowed_endpoints:
            yield "allowed_endpoints", f"API {name!r} has no allowed_endpoints"
        if not self.allowed_methods:
            yield "allowed_methods", f"API {name!r} has no allowed_methods"

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """What cannot hold: the key of the configuration, and a sentence."""
        if self.key is not None and all(place.kind == "none" for place in self._auths()):
            yield "key", "key: the API takes none (auth: none), so that it would never be sent"
        if self.own_key_for and self.key is None and all(each.key is None for each in self.upstreams):
            yield "key", "own_key_for: there is no key that they could use; give it as key"
        if self.meter.enabled is False and self.meter.asks:
            yield "meter", "meter: it is off, so that nothing else that it says would hold; take enabled: off away"
        if self.attribution.project_tags and self.attribution.tags is None:
            yield "attribution", "attribution: project_tags are beside tags, which allows every name unless it is given"
        for name in () if self.capture is None else self.capture.credentials(self._auths()):
            yield "capture", f"capture: headers: {name} carries a credential, and is never captured"
        places = [each.base_url for each in self.upstreams] or [self.base_url]
        if self.connection.http2 and not any(each.lower().startswith("https:") for each in places):
            yield "connection", "connection: http2: it is agreed upon within TLS; needs a place with https://"
        if self.upstreams and self.base_url:
            yield "base_url", "base_url: the places of the API stand in upstreams; take one of the two away"
        if self.fallback and self.retry is None:
            yield "fallback", "fallback: nothing is asked a second time without retry; add retry: {attempts: 2}"
        for number, each in enumerate(self.upstreams):
            for key, sentence in each.contradictions(self.auth):
                yield f"upstreams[{number}].{key}", f"upstreams[{number}]: {sentence}"
            if each.credential == "own" and not ((each.key or self.key) and self.own_key_for):
                sentence = "credential: own needs a key, and own_key_for, which says what projects may use it"
                yield f"upstreams[{number}].credential", f"upstreams[{number}]: {sentence}"
        for number, sentence in mixed_up(self.upstreams, self.auth):
            yield f"upstreams[{number}].credential", f"upstreams[{number}]: {sentence}"
        if len(self.upstreams) == 1 and self.upstreams[0].health is not None and self.retry is None:
            sentence = "health: there is no other upstream, and no retry, so that nothing would go elsewhere"
            yield "upstreams[0].health", f"upstreams[0]: {sentence}"
        if self.takes_clients and self.cache.enabled:
            yield "cache", "cache: answers to credentials of clients (credential: client) are not stored; take it away"
        for number, sentence in repeated(self.upstreams):
            yield f"upstreams[{number}].name", f"upstreams[{number}]: {sentence}"
        reason = self.unshareable()
        if reason and self.cache.scope == "shared" and self.cache.enabled is not False:
            yield "cache", f"cache: scope: shared cannot hold for this API: {reason}; scope: project can"

    @property
    def takes_clients(self) -> bool:
        """Whether one of its upstreams is asked with the credentials of clients."""
        return any(each.credential == "client" for each in self.upstreams)

    def _auths(self) -> list[CredentialPlace]:
        return [each.auth or self.auth for each in self.upstreams] or [self.auth]

    def unshareable(self) -> str:
        """Why C{cache.scope: shared} cannot hold; C{""} if it can."""
        found = differ(self.upstreams)
        if found:
            return f"its upstreams differ in {found}, and a stored answer would be that of any of them"
        return "it has a fallback, whose answers are another API's" if self.fallback else ""


@frozen
class APIValues:
    """
    All APIs, and what holds for all of them.

    @ivar default_api: the one at C{/} too.
    @ivar limits: what one client may ask of a port, before any API is chosen.
    @ivar trusted_proxies: addresses, networks and C{unix} in front of us, believed in what a client's address is.
    @ivar forwarded_header: the field in which they say it.
    @ivar ledger: where records of exchanges wait for the database, and how long they stay there.
    @ivar prices: what models cost, above the book and where it has none; the first that matches holds.
    @ivar usage_limits: limits of tokens and of what rules select.
    @ivar redis: what machines share for limits and events.
    @ivar sinks: where events go.
    @ivar tls: certificates of endpoints that are C{tls:}, and those that clients may have.
    @ivar tracing: which exchanges are traced, and what upstream gets of it; C{None} where nothing is said.
    @ivar agents: what there is for coding agents beside the APIs; likewise.
    @ivar identity: who people are, and what they get; C{None} where nobody signs in.
    """

    apis: Mapping[str, APIProviderConfig]
    default_api: str
    limits: Limits = field(factory=Limits)
    trusted_proxies: tuple[str, ...] = field(default=(), converter=_tuple)
    forwarded_header: str = "x-forwarded-for"
    ledger: LedgerOptions = field(factory=LedgerOptions)
    prices: tuple[PriceConfig, ...] = field(default=(), converter=_tuple)
    usage_limits: UsageLimitsConfig = field(factory=UsageLimitsConfig)
    redis: RedisConfig = field(factory=RedisConfig)
    sinks: tuple[SinkConfig, ...] = field(default=(), converter=_tuple)
    tls: TlsConfig = field(factory=TlsConfig)
    tracing: TracingConfig | None = None
    agents: AgentsConfig | None = None
    identity: IdentityConfig | None = None

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Where the names get in each other's way: the name of the API at fault, or C{""}, and why."""
        default = self.apis.get(self.default_api)
        if default is None and self.apis:
            yield "", f"default API {self.default_api!r} not found in configured APIs ({', '.join(self.apis)})"
        first = {path.split("/", 2)[1] for path in default.allowed_endpoints} if default else set()
        lower: dict[str, str] = {}
        for name in self.apis:
            if name in first:
                why = f"/{name}/ is an endpoint of the default API {self.default_api!r}, so no API can have this name"
                yield name, why
            if lower.setdefault(name.lower(), name) != name:
                yield name, f"the names {lower[name.lower()]!r} and {name!r} differ only in case"
        for name, api in self.apis.items():
            for other in api.fallback:
                sentence = no_fallback(name, other, self.apis)
                if sentence:
                    yield name, f"fallback: {sentence}"
