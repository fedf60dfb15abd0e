"""
The keys that a configuration file may have, and how each is read.

A new key is one line in L{API_KEYS}, one field of L{APIProviderConfig}, and what reads it in
L{llmproxy.config.compile}.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ..core.clientlimits import Limits
from ..core.ledger.settings import LEAST_WAITING, LedgerOptions
from . import rules
from .attributionschema import attribution
from .captureschema import capture
from .document import Item
from .model import (
    APIProviderConfig,
    APIValues,
    BreakerConfig,
    CacheConfig,
    ConnectionConfig,
    MeterConfig,
    TimeoutConfig,
)
from .prices import read_prices
from .problems import unknown
from .readers import (
    NOTED,
    Reader,
    a_file,
    all_of,
    by,
    count,
    failure_status,
    flag,
    flush_interval,
    kept_for,
    limit,
    none_for_zero,
    one_of,
    positive_duration,
    section,
    share,
    size,
    size_or_none,
    text_that,
)
from .redis import RedisConfig
from .redisschema import read_redis
from .tls import TlsConfig, read_tls
from .units import parse_duration, parse_size
from .upstreamschema import auth, balance, headers, key, retry, upstreams
from .usagelimits import UsageLimitsConfig
from .usagelimitschema import read_usage_limits


def _pattern(text: str) -> str:
    if not text:
        raise ValueError("expected a pattern, got an empty text")
    return text


def whitelist(item: Item) -> Any:
    """Patterns by the name of a parameter; below an endpoint, such patterns for it alone."""
    return {
        name: _of_endpoint(name, child) if name.startswith("/") else _patterns(child)
        for name, child in item.mapping().items()
    }


def _of_endpoint(name: str, item: Item) -> Any:
    try:
        rules.endpoint(name)
    except ValueError as error:
        item.problem(str(error))
    found = {each: _patterns(child) for each, child in item.mapping().items()} if item.is_mapping else {}
    if not found:
        item.problem(rules.NO_PARAMETERS)
    return found


def _patterns(item: Item) -> Any:
    """A single pattern need not be a list."""
    read = by(_pattern)
    patterns = all_of(read)(item) if item.is_list else (read(item),)
    if not patterns:
        item.problem("expected at least one pattern: an empty list would refuse every value")
    return tuple(pattern for pattern in patterns if pattern is not NOTED)


def own_key_for(item: Item) -> Any:
    """C{all}, or projects by their names or ids."""
    if item.is_list:
        return all_of(by(rules.project))(item)
    return by(rules.all_projects)(item)


TIMEOUT_KEYS: dict[str, Reader] = {
    "request": by(limit),
    "response_header": by(limit),
    "idle_connection": by(limit),
    "flush_interval": by(flush_interval),
    "connect": by(limit),
    "silence": by(limit),
    "expect_continue": by(limit),
}

CONNECTION_KEYS: dict[str, Reader] = {
    "max_idle_conns": by(count(0)),
    "max_idle_conns_per_host": by(count(0)),
    "max_conns_per_host": by(count(1)),
    "max_lifetime": by(limit),
    "ca_file": a_file,
    "client_cert": a_file,
    "client_key": a_file,
    "verify": flag,
    "proxy_from_environment": flag,
    "http2": flag,
}

BREAKER_KEYS: dict[str, Reader] = {
    "threshold": by(count(1)),
    "cooldown": by(positive_duration),
    "statuses": all_of(by(failure_status)),
    "enabled": flag,
}


def breaker(item: Item) -> Any:
    """C{false} or C{true}, or what there is to say in particular."""
    if item.is_mapping:
        return section(BreakerConfig, BREAKER_KEYS)(item)
    enabled = flag(item)
    return NOTED if enabled is NOTED else BreakerConfig(enabled=enabled)


def connection(item: Item) -> Any:
    read = section(ConnectionConfig, CONNECTION_KEYS)(item)
    if read.client_key and not read.client_cert:
        item.problem("client_key needs the client_cert that it belongs to")
    if read.http2 is True and find_spec("hpack") is None:
        item.problem("http2: needs the package hpack: pip install 'txllmproxy[http2]'")
    return read


CACHE_KEYS: dict[str, Reader] = {
    "enabled": flag,
    "scope": by(one_of("project", "shared")),
    "post": by(one_of("off", "opt_in")),
    "post_max_body": by(parse_size),
    "post_max_age": by(parse_duration),
    "streams": flag,
    "default_ttl": by(parse_duration),
    "heuristic": by(share),
    "heuristic_max": by(parse_duration),
    "max_object": by(parse_size),
    "keep_stale": by(parse_duration),
    "wait": by(parse_duration),
}


def cache(item: Item) -> Any:
    """C{false} or C{true}, or what there is to say in particular."""
    if item.is_mapping:
        return section(CacheConfig, CACHE_KEYS)(item)
    enabled = flag(item)
    return NOTED if enabled is NOTED else CacheConfig(enabled=enabled)


METER_KEYS: dict[str, Reader] = {
    "enabled": flag,
    "include_usage": by(one_of("keep", "inject")),
    "usage_trailer": flag,
    "estimate": flag,
}


def meter(item: Item) -> Any:
    """C{false} or C{true}, or what there is to say in particular."""
    if item.is_mapping:
        return section(MeterConfig, METER_KEYS)(item)
    enabled = flag(item)
    return NOTED if enabled is NOTED else MeterConfig(enabled)


API_KEYS: dict[str, Reader] = {
    "base_url": text_that(lambda text: text and rules.base_url(text)),
    "allowed_endpoints": all_of(by(rules.endpoint)),
    "allowed_methods": all_of(by(rules.method)),
    "timeouts": section(TimeoutConfig, TIMEOUT_KEYS),
    "connection": connection,
    "param_whitelist": whitelist,
    "unchecked_endpoints": all_of(by(rules.endpoint)),
    "allowed_origins": all_of(by(rules.allowed_origin)),
    "required_headers": all_of(by(rules.header_name)),
    "auth": auth,
    "key": key,
    "own_key_for": own_key_for,
    "dialect": by(rules.dialect),
    "debug_headers": flag,
    "breaker": breaker,
    "cache": cache,
    "capture": capture,
    "meter": meter,
    "attribution": attribution,
    "forwarded_fields": by(rules.forwarded_fields),
    "rewrite_locations": flag,
    "filter_models": flag,
    "max_inspected_body": by(parse_size),
    "upstreams": upstreams,
    "headers": headers,
    "balance": balance,
    "sticky": by(rules.sticky),
    "retry": retry,
    "fallback": all_of(text_that(rules.upstream_name)),
}

LIMIT_KEYS: dict[str, Reader] = {
    "target": by(size(64)),
    "head": by(size(1024)),
    "fields": by(count(8)),
    "body": by(size(1024)),
    "unread": by(parse_size),
    "waiting": by(size(1024)),
    "withheld": by(size_or_none),
    "withheld_rate": by(size(1)),
    "head_time": by(positive_duration),
    "body_silence": by(positive_duration),
    "send_silence": by(positive_duration),
    "half_closed": by(positive_duration),
    "idle": by(positive_duration),
    "closing": by(positive_duration),
    "connections": by(none_for_zero),
    "connections_per_client": by(none_for_zero),
}

LEDGER_KEYS: dict[str, Reader] = {
    "enabled": flag,
    "directory": text_that(rules.directory),
    "fsync": by(limit),
    "keep_records": by(kept_for),
    "most_waiting": by(size(LEAST_WAITING)),
    "own_process": flag,
}


def ledger(item: Item) -> Any:
    """C{off} or C{on}, or what there is to say in particular."""
    if item.is_mapping:
        return section(LedgerOptions, LEDGER_KEYS)(item)
    enabled = flag(item)
    return NOTED if enabled is NOTED else LedgerOptions(enabled)


TOP_KEYS = (
    "apis",
    "default_api",
    "limits",
    "trusted_proxies",
    "forwarded_header",
    "identity",
    "ledger",
    "prices",
    "usage_limits",
    "redis",
    "sinks",
    "tls",
    "tracing",
    "agents",
)


def read_api(name: str, item: Item) -> APIProviderConfig:
    """One API; what is wrong with it is noted, and nothing is called missing that is there and wrong."""
    api: APIProviderConfig = section(APIProviderConfig, API_KEYS)(item)
    wrong = item.document.problems.paths
    if item.path not in wrong:
        for key, sentence in (*api.incomplete(name), *api.contradictions()):
            # What is wrong with its upstreams says more than that there is no base_url.
            places = (item.below(key), item.below("upstreams")) if key == "base_url" else item.below(key)
            if not any(path.startswith(places) for path in wrong):
                item.problem(sentence)
    return api


def read_config(root: Item, reserved: frozenset[str], default_api: str | None) -> APIValues:
    """
    A whole file; what is wrong with it is noted.

    @param default_api: stands above what the file says.
    """
    top = root.known(*TOP_KEYS)
    named = top["apis"].mapping() if "apis" in top and not top["apis"].is_null else {}
    apis = {}
    for name, item in named.items():
        try:
            rules.api_name(name, reserved)
        except ValueError as error:
            item.problem(str(error))
        apis[name] = read_api(name, item)
    limits = section(Limits, LIMIT_KEYS)(top["limits"]) if "limits" in top and not top["limits"].is_null else Limits()
    proxies = _given(top, "trusted_proxies", all_of(text_that(rules.trusted_proxy)), ())
    kept = _given(top, "ledger", ledger, LedgerOptions())
    header = _given(top, "forwarded_header", by(rules.forwarded_header), "x-forwarded-for")
    prices = _given(top, "prices", lambda item: read_prices(item, apis), ())
    usage = _given(top, "usage_limits", lambda item: read_usage_limits(item, apis), UsageLimitsConfig())
    default = _default(top.get("default_api"), default_api)
    redis = _given(top, "redis", read_redis, RedisConfig())
    sinks = _given(top, "sinks", _sinks, ())
    tls = _given(top, "tls", read_tls, TlsConfig())
    traced = _given(top, "tracing", _tracing, None)
    agents = _given(top, "agents", lambda item: _agents(item, apis, default, "identity" in top), None)
    identity = _given(top, "identity", lambda item: _identity(item, apis), None)
    values = (apis, default, limits, proxies, header, kept, prices, usage, redis, sinks, tls, traced, agents, identity)
    config = APIValues(*values)
    _note_conflicts(config, root, top, named, overridden=default_api is not None)
    return config


def _sinks(item: Item) -> Any:
    """Most configurations have none, and need not know how they are read."""
    from .sinkschema import read_sinks

    return read_sinks(item)


def _tracing(item: Item) -> Any:
    """Likewise."""
    from .tracing import read_tracing

    return read_tracing(item)


def _agents(item: Item, apis: Mapping[str, APIProviderConfig], default: str, has_people: bool) -> Any:
    """Likewise."""
    from .agentsschema import read_agents

    return read_agents(item, apis, default, has_people)


def _identity(item: Item, apis: Mapping[str, Any]) -> Any:
    """Likewise."""
    from .identityschema import read_identity

    return read_identity(item, apis)


def _given(top: Mapping[str, Item], key: str, reader: Reader, default: Any) -> Any:
    value = NOTED if key not in top or top[key].is_null else reader(top[key])
    return default if value is NOTED else value


def _default(item: Item | None, override: str | None) -> str:
    if override is not None:
        return override
    return (item.text() or "") if item is not None and not item.is_null else ""


def _note_conflicts(
    config: APIValues, root: Item, top: Mapping[str, Item], named: Mapping[str, Item], *, overridden: bool
) -> None:
    if not config.apis:
        top.get("apis", root).problem("no API providers configured")
    for name, sentence in config.conflicts():
        if name:
            named[name].problem(sentence)
        elif overridden:
            root.document.problems.add("default API", unknown(config.default_api, config.apis, "API"))
        else:
            top.get("default_api", root).problem(sentence)
