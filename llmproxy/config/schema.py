"""
The keys that a configuration file may have, and how each is read.

A new key is one line in L{API_KEYS}, one field of L{APIProviderConfig}, and what reads it in
L{llmproxy.config.compile}.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ..core.clientlimits import Limits
from ..origin import CredentialPlace
from . import rules
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
from .problems import unknown
from .secretvalues import secret_value
from .units import parse_duration, parse_size

NOTED: Any = object()
"""What a reader returns for a value that is wrong; why has been noted."""

Reader = Callable[[Item], Any]


def by(rule: Callable[[str], Any]) -> Reader:
    """A text that a rule makes a value of."""

    def read(item: Item) -> Any:
        text = item.text()
        if text is None:
            return NOTED
        try:
            return rule(text)
        except ValueError as error:
            item.problem(str(error))
            return NOTED

    return read


def text_that(rule: Callable[[str], object]) -> Reader:
    """A text that a rule has nothing to say against, kept as it is."""

    def check(text: str) -> str:
        rule(text)
        return text

    return by(check)


def all_of(reader: Reader) -> Reader:
    """A list whose values are read one by one."""

    def read(item: Item) -> Any:
        return tuple(value for value in map(reader, item.items()) if value is not NOTED)

    return read


def section(make: Callable[..., Any], readers: Mapping[str, Reader]) -> Reader:
    """A mapping with known keys; one whose value is empty has its default."""

    def read(item: Item) -> Any:
        values = {key: readers[key](child) for key, child in item.known(*readers).items() if not child.is_null}
        return make(**{key: value for key, value in values.items() if value is not NOTED})

    return read


def flag(item: Item) -> Any:
    value = item.boolean()
    return NOTED if value is None else value


def _limit(text: str) -> float | None:
    """Go's clients take a timeout of nothing for no timeout."""
    return parse_duration(text) or None


def _flush_interval(text: str) -> float:
    """A negative one means at once in Go, which is what happens anyway."""
    return parse_duration(text.removeprefix("-"))


def _positive_duration(text: str) -> float:
    seconds = parse_duration(text)
    if not seconds:
        raise ValueError("expected a duration above nothing, such as 30s")
    return seconds


def _count(smallest: int) -> Callable[[str], int]:
    def rule(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < smallest:
            raise ValueError(f"expected a whole number from {smallest}, got {text[:40]!r}")
        return int(text)

    return rule


def _failure_status(text: str) -> int:
    """Below 400 nothing is a failure."""
    if not (text.isascii() and text.isdigit() and len(text) == 3) or not 400 <= int(text) <= 599:
        raise ValueError(f"expected a status from 400 to 599, got {text[:40]!r}")
    return int(text)


def _size(smallest: int) -> Callable[[str], int]:
    def rule(text: str) -> int:
        size = parse_size(text)
        if size < smallest:
            raise ValueError(f"expected a size from {smallest} bytes, got {text[:40]!r}")
        return size

    return rule


def _size_or_none(text: str) -> int | None:
    return parse_size(text) or None


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"expected a number from 0 to 1, got {text[:40]!r}")
    return share


def _one_of(*words: str) -> Callable[[str], str]:
    def rule(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}, got {text[:40]!r}")
        return text

    return rule


def _none_for_zero(text: str) -> int | None:
    return _count(0)(text) or None


def _readable_file(text: str) -> str:
    if not os.path.isfile(text):
        raise ValueError(f"expected a file, there is none at {text!r}")
    if not os.access(text, os.R_OK):
        raise ValueError(f"the file {text!r} cannot be read")
    return text


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


def auth(item: Item) -> Any:
    """A short name, or where the key goes in so many words."""
    if not item.is_mapping:
        return by(rules.auth)(item)
    values = {key: child.text() for key, child in item.known("header", "query", "prefix").items()}
    if None in values.values():
        return NOTED
    try:
        return _place(**values)
    except ValueError as error:
        item.problem(str(error))
        return NOTED


def key(item: Item) -> Any:
    """A secret of the API's own."""
    value = secret_value(item)
    return NOTED if value is None else value


def own_key_for(item: Item) -> Any:
    """C{all}, or projects by their names or ids."""
    if item.is_list:
        return all_of(by(rules.project))(item)
    return by(rules.all_projects)(item)


def _place(header: str | None = None, query: str | None = None, prefix: str | None = None) -> CredentialPlace:
    return rules.credential_place(header, query, prefix)


TIMEOUT_KEYS: dict[str, Reader] = {
    "request": by(_limit),
    "response_header": by(_limit),
    "idle_connection": by(_limit),
    "flush_interval": by(_flush_interval),
    "connect": by(_limit),
    "silence": by(_limit),
    "expect_continue": by(_limit),
}

CONNECTION_KEYS: dict[str, Reader] = {
    "max_idle_conns": by(_count(0)),
    "max_idle_conns_per_host": by(_count(0)),
    "max_conns_per_host": by(_count(1)),
    "max_lifetime": by(_limit),
    "ca_file": by(_readable_file),
    "client_cert": by(_readable_file),
    "client_key": by(_readable_file),
    "verify": flag,
    "proxy_from_environment": flag,
}

BREAKER_KEYS: dict[str, Reader] = {
    "threshold": by(_count(1)),
    "cooldown": by(_positive_duration),
    "statuses": all_of(by(_failure_status)),
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
    return read


CACHE_KEYS: dict[str, Reader] = {
    "enabled": flag,
    "scope": by(_one_of("project", "shared")),
    "post": by(_one_of("off", "opt_in")),
    "post_max_body": by(parse_size),
    "post_max_age": by(parse_duration),
    "streams": flag,
    "default_ttl": by(parse_duration),
    "heuristic": by(_share),
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


METER_KEYS: dict[str, Reader] = {"enabled": flag}


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
    "meter": meter,
    "forwarded_fields": by(rules.forwarded_fields),
    "rewrite_locations": flag,
    "max_inspected_body": by(parse_size),
}

LIMIT_KEYS: dict[str, Reader] = {
    "target": by(_size(64)),
    "head": by(_size(1024)),
    "fields": by(_count(8)),
    "body": by(_size(1024)),
    "unread": by(parse_size),
    "waiting": by(_size(1024)),
    "withheld": by(_size_or_none),
    "withheld_rate": by(_size(1)),
    "head_time": by(_positive_duration),
    "body_silence": by(_positive_duration),
    "send_silence": by(_positive_duration),
    "half_closed": by(_positive_duration),
    "idle": by(_positive_duration),
    "closing": by(_positive_duration),
    "connections": by(_none_for_zero),
    "connections_per_client": by(_none_for_zero),
}

TOP_KEYS = ("apis", "default_api", "limits", "trusted_proxies", "forwarded_header")


def read_api(name: str, item: Item) -> APIProviderConfig:
    """One API; what is wrong with it is noted, and nothing is called missing that is there and wrong."""
    api: APIProviderConfig = section(APIProviderConfig, API_KEYS)(item)
    wrong = item.document.problems.paths
    if item.path not in wrong:
        for key, sentence in (*api.incomplete(name), *api.contradictions()):
            if not any(path.startswith(item.below(key)) for path in wrong):
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
    header = _given(top, "forwarded_header", by(rules.forwarded_header), "x-forwarded-for")
    config = APIValues(apis, _default(top.get("default_api"), default_api), limits, proxies, header)
    _note_conflicts(config, root, top, named, overridden=default_api is not None)
    return config


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
