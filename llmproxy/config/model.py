"""The configuration as values: what the YAML says, checked, and not yet compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, fields, frozen

from ..apisettings import USUAL_IDLE, CacheSettings, MeterSettings, Scope
from ..core.caching.settings import DEFAULT
from ..core.clientlimits import Limits
from ..message import Dialect
from ..origin import CredentialPlace
from ..providers.registry import AUTH

if TYPE_CHECKING:
    from ..core.inspection.endpointrules import PatternsByEndpoint


def _tuple(values: Iterable[str]) -> Any:
    # Anything else is wrong, and is to be found so by validate: a text is no list of letters.
    return tuple(values) if _is_list(values) else values


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

    @ivar enabled: C{None} is on where the vendor is known, by C{base_url}, the name of the API or its dialect.
    """

    enabled: bool | None = None

    def settings(self, *, known: bool) -> MeterSettings | None:
        """
        @param known: whether the vendor is known.
        @return: C{None} for an API whose answers are not read.
        """
        return MeterSettings() if (known if self.enabled is None else self.enabled) else None


@frozen
class CacheConfig:
    """
    What one API says of its caching, see L{CacheSettings}; C{None} is what holds for all.
    """

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
    @ivar forwarded_fields: what upstream is told of the client by C{X-Forwarded-*} and its like: C{strip} nothing,
        C{pass} what the client claims, C{append} that and the hop to us, C{set} what we know.
    @ivar rewrite_locations: whether C{Location} and its like that point to upstream are made to point to the proxy.
    @ivar max_inspected_body: bytes of a request body that a C{param_whitelist} may need to see.
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
    forwarded_fields: str = "strip"
    rewrite_locations: bool = True
    max_inspected_body: int = 10 * 1024 * 1024

    @property
    def forwarding(self) -> str:
        """L{forwarded_fields}, as it holds."""
        return self.forwarded_fields

    def incomplete(self, name: str) -> Iterator[tuple[str, str]]:
        """What the reference demands of every API and this one lacks: the key, and a sentence."""
        if not self.base_url:
            yield "base_url", f"API {name!r} has empty base_url"
        if not self.allowed_endpoints:
            yield "allowed_endpoints", f"API {name!r} has no allowed_endpoints"
        if not self.allowed_methods:
            yield "allowed_methods", f"API {name!r} has no allowed_methods"

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """What cannot hold: the key of the configuration, and a sentence."""
        if self.key is not None and self.auth.kind == "none":
            yield "key", "key: the API takes none (auth: none), so that it would never be sent"
        if self.key is None and self.own_key_for:
            yield "key", "own_key_for: there is no key that they could use; give it as key"


@frozen
class APIValues:
    """
    All APIs, and what holds for all of them.

    @ivar default_api: the one that is served at C{/} too.
    @ivar limits: what one client may ask of a port, before any API is chosen.
    @ivar trusted_proxies: addresses and networks in front of us, and C{unix}: what they say of a client's address is
        believed.
    @ivar forwarded_header: the field in which they say it.
    """

    apis: Mapping[str, APIProviderConfig]
    default_api: str
    limits: Limits = field(factory=Limits)
    trusted_proxies: tuple[str, ...] = field(default=(), converter=_tuple)
    forwarded_header: str = "x-forwarded-for"

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Where the names get in each other's way: the name of the API at fault, or C{""}, and why."""
        default = self.apis.get(self.default_api)
        if default is None and self.apis:
            yield "", f"default API {self.default_api!r} not found in configured APIs ({', '.join(self.apis)})"
        first = {path.split("/", 2)[1] for path in default.allowed_endpoints} if default else set()
        lower: dict[str, str] = {}
        for name in self.apis:
            if name in first:
                yield (
                    name,
                    f"/{name}/ is an endpoint of the default API {self.default_api!r}, so no API can have this name",
                )
            if lower.setdefault(name.lower(), name) != name:
                yield name, f"the names {lower[name.lower()]!r} and {name!r} differ only in case"
