"""The keys of several upstreams of an API, of the choice among them and of retries, and how each is read."""

from __future__ import annotations

from typing import Any

from ..origin import CredentialPlace
from . import rules
from .document import Item
from .readers import (
    NOTED,
    Reader,
    all_of,
    by,
    count,
    failure_status,
    one_of,
    positive_duration,
    section,
    share,
    text_that,
)
from .secretvalues import secret_value
from .units import parse_duration, parse_size
from .upstreams import BalanceConfig, HealthConfig, RetryConfig, UpstreamConfig

MOST_ATTEMPTS = 20
MOST_UPSTREAMS = 100


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


def _place(header: str | None = None, query: str | None = None, prefix: str | None = None) -> CredentialPlace:
    return rules.credential_place(header, query, prefix)


def key(item: Item) -> Any:
    """A secret of the API's own."""
    value = secret_value(item)
    return NOTED if value is None else value


def headers(item: Item) -> Any:
    """Fields by their names."""
    found: dict[str, str] = {}
    for name, child in item.mapping().items():
        try:
            rules.added_field(name)
        except ValueError as error:
            child.problem(str(error))
            continue
        value = by(rules.added_value)(child)
        if value is not NOTED:
            found[name] = value
    lower = [name.lower() for name in found]
    if len(set(lower)) < len(lower):
        item.problem("a field stands here twice: names of fields are the same in any case")
    return found


def models(item: Item) -> Any:
    """Patterns, and mappings of a name to the one that it becomes, C{{a: b}} or C{{from: a, to: b}}."""
    return tuple(value for value in map(_model, item.items()) if value is not NOTED)


def _model(item: Item) -> Any:
    if not item.is_mapping:
        return by(_pattern)(item)
    pairs = [(name, by(rules.model_name)(child)) for name, child in item.mapping().items()]
    said = dict(pairs)
    if said.keys() == {"from", "to"}:
        # No model is called so: it is one alias, written out.
        return {} if NOTED in said.values() else {said["from"]: said["to"]}
    for name, _ in pairs:
        try:
            rules.model_name(name)
        except ValueError as error:
            item.problem(str(error))
    return {name: other for name, other in pairs if other is not NOTED}


def _pattern(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"expected the name of a model, or a pattern such as gpt-4o*, got {text[:80]!r}")
    return text


def _attempts(text: str) -> int:
    number = count(1)(text)
    if number > MOST_ATTEMPTS:
        raise ValueError(f"expected a whole number from 1 to {MOST_ATTEMPTS}, got {text[:40]!r}")
    return int(number)


def _checked_path(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        raise ValueError(f"expected a path such as /health, got {text[:80]!r}")
    return text


def _status(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) == 3 and 200 <= int(text) <= 599):
        raise ValueError(f"expected a status from 200 to 599, got {text[:40]!r}")
    return int(text)


HEALTH_KEYS: dict[str, Reader] = {
    "path": by(_checked_path),
    "interval": by(positive_duration),
    "timeout": by(positive_duration),
    "healthy": by(count(1)),
    "unhealthy": by(count(1)),
    "statuses": all_of(by(_status)),
}

UPSTREAM_KEYS: dict[str, Reader] = {
    "name": by(rules.upstream_name),
    "base_url": text_that(lambda text: text and rules.base_url(text)),
    "weight": by(count(1)),
    "priority": by(count(1)),
    "key": key,
    "project_key": by(rules.upstream_name),
    "credential": by(one_of("project", "own", "client")),
    "headers": headers,
    "region": by(rules.region),
    "models": models,
    "api_version": by(rules.api_version),
    "host": by(rules.host_field),
    "sni": by(rules.server_name),
    "auth": auth,
    "provider": by(rules.provider),
    "health": section(HealthConfig, HEALTH_KEYS),
}

BALANCE_KEYS: dict[str, Reader] = {
    "by": by(one_of("weighted", "least_in_flight", "peak_ewma")),
    "keys": by(one_of("priority", "round_robin", "least_used")),
    "slow_start": by(parse_duration),
    "panic_threshold": by(share),
}

RETRY_KEYS: dict[str, Reader] = {
    "attempts": by(_attempts),
    "statuses": all_of(by(failure_status)),
    "budget": by(share),
    "replay": by(parse_size),
    "max_wait": by(parse_duration),
    "hedge": by(share),
}


def upstreams(item: Item) -> Any:
    """One or more; what is wrong with one of them is noted where it stands."""
    found = item.items()
    if item.is_list and not found:
        item.problem("expected at least one upstream")
    if len(found) > MOST_UPSTREAMS:
        item.problem(f"expected at most {MOST_UPSTREAMS} upstreams")
    return tuple(map(section(UpstreamConfig, UPSTREAM_KEYS), found[:MOST_UPSTREAMS]))


def balance(item: Item) -> Any:
    """A word, or what there is to say in particular."""
    if item.is_mapping:
        return section(BalanceConfig, BALANCE_KEYS)(item)
    by_what = BALANCE_KEYS["by"](item)
    return NOTED if by_what is NOTED else BalanceConfig(by_what)


def retry(item: Item) -> Any:
    """C{false} or C{true}, or what there is to say in particular."""
    if item.is_mapping:
        return section(RetryConfig, RETRY_KEYS)(item)
    enabled = item.boolean()
    if enabled is None:
        return NOTED
    return RetryConfig() if enabled else None
