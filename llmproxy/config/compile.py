"""Compiled configurations: what the proxied path uses, made of what the file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..apisettings import ApiSettings, BalanceSettings, BreakerSettings, ConnectionSettings, RetrySettings
from ..core.policy import Policy
from ..core.routing import RESERVED, RoutingTable
from ..message import Api
from ..origin import HealthCheck, OwnKey, Timeouts, Upstream, space_of
from ..providers.registry import BY_NAME, PLACES, provider_of, query_keys_like
from . import rules
from .model import APIProviderConfig, APIValues, BreakerConfig
from .upstreams import BalanceConfig, HealthConfig, RetryConfig, UpstreamConfig

_A_DAY = 86_400.0
"""Seconds that a connection is kept where there is no limit: nobody notices, and nothing is kept for ever."""


def reserved_names() -> frozenset[str]:
    """First segments of paths that the proxy answers itself."""
    return frozenset(RESERVED)


def compile_api(name: str, config: APIProviderConfig, places: Sequence[Upstream] = ()) -> Api:
    """
    @param places: those of the APIs that may answer in place of this one.
    """
    timeouts = config.timeouts
    caching = config.cache.settings()
    upstreams = compile_upstreams(name, config)
    known = any(each.provider for each in upstreams) or config.dialect != "proxy"
    return Api(
        name=name,
        upstreams=upstreams,
        dialect=config.dialect,
        timeouts=Timeouts(timeouts.connect, timeouts.response_header, timeouts.silence, timeouts.request),
        policy=_policy(config),
        debug_fields=config.debug_headers,
        rewrites_locations=config.rewrite_locations,
        settings=ApiSettings(
            caching if caching.enabled and not config.takes_clients else None,
            _breaker(config.breaker),
            _connection(config),
            config.forwarding,
            config.meter.settings(known=known),
            _balance(config.balance, config.sticky),
            _retry(config.retry),
            config.fallback,
            config.attribution.settings(known=known),
            config.filter_models,
            None if config.capture is None else config.capture.settings(),
        ),
        query_keys=frozenset[bytes]().union(*(_query_keys(config.dialect, each) for each in upstreams)),
        space=space_of(name, [*upstreams, *places]),
    )


def compile_apis(config: APIValues) -> list[Api]:
    """All APIs, in the order of the file."""
    places = {name: compile_upstreams(name, api) for name, api in config.apis.items()}
    return [
        compile_api(name, api, [place for other in api.fallback for place in places[other]])
        for name, api in config.apis.items()
    ]


def compile_routing(config: APIValues) -> RoutingTable:
    return RoutingTable(compile_apis(config), config.default_api)


def compile_upstreams(name: str, config: APIProviderConfig) -> tuple[Upstream, ...]:
    """The places of one API; the only one is called as the API is."""
    if not config.upstreams:
        return (_upstream(name, config, UpstreamConfig(name, config.base_url)),)
    return tuple(_upstream(name, config, each) for each in config.upstreams)


def _upstream(name: str, config: APIProviderConfig, at: UpstreamConfig) -> Upstream:
    origin, path_prefix = rules.base_url(at.base_url)
    provider = provider_of(name, origin.host)
    return Upstream(
        origin,
        path_prefix,
        at.auth or config.auth,
        at.weight,
        own_key=_own_key(config, at),
        models=at.aliases(),
        provider=at.provider or ("" if provider is None else provider.name),
        name=at.name,
        priority=at.priority,
        project_key=at.project_key,
        key_source=at.credential,
        headers=_headers(config.headers, at.headers),
        region=at.region,
        serves=at.serves(),
        api_version=at.api_version.encode("ascii"),
        host=at.host.encode("ascii"),
        server_name=at.sni,
        health=_health(at.health),
    )


def _health(config: HealthConfig | None) -> HealthCheck | None:
    if config is None:
        return None
    statuses = frozenset(config.statuses)
    return HealthCheck(config.path, config.interval, config.timeout, config.healthy, config.unhealthy, statuses)


def _headers(common: Mapping[str, str], own: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """What an upstream says stands above what holds for its API."""
    said = {name.lower() for name in own}
    found = [*((name, value) for name, value in common.items() if name.lower() not in said), *own.items()]
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in found)


def _own_key(config: APIProviderConfig, at: UpstreamConfig) -> OwnKey | None:
    """One that nobody may use is none."""
    key = at.key or config.key
    if key is None or not config.own_key_for or (at.auth or config.auth).kind == "none":
        return None
    return OwnKey(key, None if isinstance(config.own_key_for, str) else config.own_key_for)


def _query_keys(dialect: str, upstream: Upstream) -> frozenset[bytes]:
    """What speaks as a vendor does takes a key in the query as that one, wherever it stands."""
    place = upstream.credential
    found = BY_NAME[upstream.provider].query_keys if upstream.provider else frozenset[bytes]()
    if place.kind == "query":
        found |= {b"key", place.name.lower()}
    return found | query_keys_like(dialect, place)


def _balance(config: BalanceConfig, sticky: str) -> BalanceSettings:
    return BalanceSettings(config.by, config.keys, sticky, config.slow_start, config.panic_threshold)


def _retry(config: RetryConfig | None) -> RetrySettings | None:
    if config is None:
        return None
    statuses = frozenset(config.statuses)
    return RetrySettings(config.attempts, statuses, config.budget, config.replay, config.max_wait, config.hedge)


def _policy(config: APIProviderConfig) -> Policy:
    return Policy.compile(
        allowed_methods=[rules.method(method) for method in config.allowed_methods],
        allowed_endpoints=config.allowed_endpoints,
        param_whitelist=config.param_whitelist,
        unchecked_endpoints=config.unchecked_endpoints,
        allowed_origins=config.allowed_origins,
        required_headers=config.required_headers,
        max_inspected_body=config.max_inspected_body,
        places=PLACES,
    )


def _breaker(config: BreakerConfig) -> BreakerSettings | None:
    if not config.enabled:
        return None
    statuses = None if config.statuses is None else frozenset(config.statuses)
    return BreakerSettings(config.threshold, config.cooldown, statuses)


def _connection(config: APIProviderConfig) -> ConnectionSettings:
    """The configuration has the reference's names, and its idle time among the timeouts."""
    connection, timeouts = config.connection, config.timeouts
    idle = timeouts.idle_connection
    return ConnectionSettings(
        max_idle=connection.max_idle_conns,
        max_idle_per_host=connection.max_idle_conns_per_host,
        max_connections_per_host=connection.max_conns_per_host,
        idle_timeout=_A_DAY if idle is None else idle,
        max_lifetime=connection.max_lifetime,
        expect_continue=timeouts.expect_continue,
        connect_timeout=timeouts.connect,
        ca_file=connection.ca_file,
        client_cert=connection.client_cert,
        client_key=connection.client_key,
        verify=connection.verify,
        proxy_from_environment=connection.proxy_from_environment,
        http2=connection.http2,
    )
