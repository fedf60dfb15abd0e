"""From what the configuration says to what the proxied path uses."""

from __future__ import annotations

from attrs import fields

from ..core.breaker import BreakerSettings
from ..core.policy import Policy
from ..core.routing import RESERVED, RoutingTable
from ..message import Api, Timeouts
from . import rules
from .model import APIConfig, APIProviderConfig, ConnectionConfig, ConnectionSettings


def reserved_names() -> frozenset[str]:
    """First segments of paths that the proxy answers itself."""
    return frozenset(RESERVED)


def compile_api(name: str, config: APIProviderConfig) -> Api:
    origin, path_prefix = rules.base_url(config.base_url)
    timeouts = config.timeouts
    caching = config.cache.settings()
    return Api(
        name=name,
        origin=origin,
        path_prefix=path_prefix,
        credential=config.auth,
        dialect=config.dialect,
        timeouts=Timeouts(timeouts.connect, timeouts.response_header, timeouts.silence, timeouts.request),
        policy=_policy(config),
        debug_fields=config.debug_headers,
        settings={
            **({"cache": caching} if caching.enabled else {}),
            "breaker": BreakerSettings(config.breaker.threshold, config.breaker.cooldown),
            "connection": _connection(config),
            "forwarded_fields": config.forwarded_fields,
        },
    )


def compile_routing(config: APIConfig) -> RoutingTable:
    return RoutingTable(config.compiled(), config.default_api)


def _policy(config: APIProviderConfig) -> Policy:
    return Policy.compile(
        allowed_methods=[rules.method(method) for method in config.allowed_methods],
        allowed_endpoints=config.allowed_endpoints,
        param_whitelist=config.param_whitelist,
        allowed_origins=config.allowed_origins,
        required_headers=config.required_headers,
        max_inspected_body=config.max_inspected_body,
    )


def _connection(config: APIProviderConfig) -> ConnectionSettings:
    values = {a.name: getattr(config.connection, a.name) for a in fields(ConnectionConfig)}
    return ConnectionSettings(idle_connection=config.timeouts.idle_connection, **values)
