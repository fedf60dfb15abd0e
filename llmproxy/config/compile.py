"""Compiled configurations: what the proxied path uses, made of what the file says."""

from __future__ import annotations

from ..apisettings import ApiSettings, BreakerSettings, ConnectionSettings
from ..core.policy import Policy
from ..core.routing import RESERVED, RoutingTable
from ..message import Api
from ..origin import OwnKey, Timeouts, Upstream
from ..providers.provider import Provider
from ..providers.registry import PLACES, provider_of, query_keys_like
from . import rules
from .model import APIProviderConfig, APIValues, BreakerConfig

_A_DAY = 86_400.0
"""Seconds that a connection is kept where there is no limit: nobody notices, and nothing is kept for ever."""


def reserved_names() -> frozenset[str]:
    """First segments of paths that the proxy answers itself."""
    return frozenset(RESERVED)


def compile_api(name: str, config: APIProviderConfig) -> Api:
    origin, path_prefix = rules.base_url(config.base_url)
    timeouts = config.timeouts
    caching = config.cache.settings()
    provider = provider_of(name, origin.host)
    upstream = Upstream(
        origin,
        path_prefix,
        config.auth,
        own_key=_own_key(config),
        provider="" if provider is None else provider.name,
    )
    return Api(
        name=name,
        upstreams=(upstream,),
        dialect=config.dialect,
        timeouts=Timeouts(timeouts.connect, timeouts.response_header, timeouts.silence, timeouts.request),
        policy=_policy(config),
        debug_fields=config.debug_headers,
        rewrites_locations=config.rewrite_locations,
        settings=ApiSettings(
            caching if caching.enabled else None,
            _breaker(config.breaker),
            _connection(config),
            config.forwarding,
            config.meter.settings(known=provider is not None or config.dialect != "proxy"),
        ),
        query_keys=_query_keys(config, provider),
    )


def compile_apis(config: APIValues) -> list[Api]:
    """All APIs, in the order of the file."""
    return [compile_api(name, api) for name, api in config.apis.items()]


def compile_routing(config: APIValues) -> RoutingTable:
    return RoutingTable(compile_apis(config), config.default_api)


def _own_key(config: APIProviderConfig) -> OwnKey | None:
    """One that nobody may use is none."""
    if config.key is None or not config.own_key_for:
        return None
    return OwnKey(config.key, None if isinstance(config.own_key_for, str) else config.own_key_for)


def _query_keys(config: APIProviderConfig, provider: Provider | None) -> frozenset[bytes]:
    """What speaks as a vendor does takes a key in the query as that one, wherever it stands."""
    place = config.auth
    found = frozenset[bytes]() if provider is None else provider.query_keys
    if place.kind == "query":
        found |= {b"key", place.name.lower()}
    return found | query_keys_like(config.dialect, place)


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
    )
