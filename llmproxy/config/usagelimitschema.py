"""The keys of C{usage_limits}, and how each is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..core.attributing.tags import NAME
from ..core.limits import stated
from ..core.reportperiods import zone_of
from ..usagelimits import Overload, UsageLimits
from . import rules
from .document import Item
from .problems import unknown
from .readers import NOTED, Reader, all_of, by, count, flag, one_of, positive_duration, section, text_that
from .usagelimits import COUNTED, LimitRuleConfig, UsageLimitsConfig

MOST_RULES = 200

_PER = ("project", "token", "person", "address", "user", "all")
_FAILURE = ("open", "closed", "local")


def _downgrade(item: Item) -> Any:
    pairs = [(name, by(stated.model)(child)) for name, child in item.mapping().items()]
    return tuple(pair for pair in pairs if pair[1] is not NOTED)


def _per(text: str) -> str:
    kind, colon, name = text.partition(":")
    if text not in _PER and not (kind == "tag" and colon and NAME.fullmatch(name)):
        raise ValueError(f"expected one of {', '.join(_PER)}, or tag:NAME, got {text[:60]!r}")
    return text


def _said(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(f"expected a text that can be shown, got {text[:60]!r}")
    return text


def _tags(item: Item) -> Any:
    found = {}
    for name, child in item.mapping().items():
        value = by(_said)(child)
        if not NAME.fullmatch(name):
            child.problem(f"expected the name of a tag, in lower case, such as team, got {name[:60]!r}")
        elif value is not NOTED:
            found[name] = value
    return found


_COUNT_KEYS: dict[str, Reader] = {
    **dict.fromkeys(COUNTED[:3], by(stated.count)),
    "max_budget": by(stated.amount),
    "budget_duration": by(stated.duration),
    "soft_budget": by(stated.amount),
    "hard_budget": flag,
    "over_budget": by(one_of("refuse", "warn", "downgrade")),
    "downgrade": _downgrade,
}

DEFAULT_KEYS: dict[str, Reader] = {
    **_COUNT_KEYS,
    "models": all_of(by(stated.model)),
    "apis": all_of(text_that(rules.upstream_name)),
    "endpoints": all_of(by(rules.endpoint)),
    "source_addresses": all_of(by(stated.source)),
}

RULE_KEYS: dict[str, Reader] = {
    "per": by(_per),
    "api": text_that(rules.upstream_name),
    "model": by(stated.model),
    "project": by(rules.project),
    "user": by(_said),
    "tags": _tags,
    "unauthenticated": flag,
    "on_store_failure": by(one_of(*_FAILURE)),
    **_COUNT_KEYS,
}

OVERLOAD_KEYS: dict[str, Reader] = {
    "exchanges": by(count(1)),
    "queue": by(count(0)),
    "wait": by(positive_duration),
}


def _overload(item: Item) -> Any:
    if item.is_mapping and "exchanges" not in item.mapping():
        item.problem("expected exchanges: how many requests are answered at once")
        return NOTED
    return section(_overload_of, OVERLOAD_KEYS)(item)


def _overload_of(exchanges: int = 1, **more: Any) -> Overload:
    return Overload(exchanges, **more)


def _zone(text: str) -> str:
    zone_of(text)
    return text


def _rules(item: Item) -> Any:
    found = item.items()
    if len(found) > MOST_RULES:
        item.problem(f"expected at most {MOST_RULES} rules")
    return tuple(map(section(LimitRuleConfig, RULE_KEYS), found[:MOST_RULES]))


USAGE_LIMIT_KEYS: dict[str, Reader] = {
    "defaults": section(UsageLimits, DEFAULT_KEYS),
    "rules": _rules,
    "on_store_failure": by(one_of(*_FAILURE)),
    "overload": _overload,
    "time_zone": by(_zone),
    "rate_limit_fields": flag,
    "budget_leases": flag,
}


def read_usage_limits(item: Item, apis: Mapping[str, Any]) -> UsageLimitsConfig:
    """
    The section; what is wrong with it is noted.

    @param apis: the L{APIProviderConfig} of each that there is, by name.
    """
    config: UsageLimitsConfig = section(UsageLimitsConfig, USAGE_LIMIT_KEYS)(item)
    sections = {name: child for name, child in item.known(*USAGE_LIMIT_KEYS).items() if not child.is_null}
    if "defaults" in sections:
        _note_defaults(sections["defaults"], config.defaults, apis)
    if "rules" in sections:
        for each, rule in zip(sections["rules"].items(), config.rules, strict=False):
            _note_rule(each, rule, apis)
    return config


def _note_defaults(item: Item, limits: UsageLimits, apis: Collection[str]) -> None:
    if _is_wrong(item):
        return
    for name, sentence in stated.contradictions(limits, defaults=False):
        item.problem(f"{name}: {sentence}")
    for name in limits.apis if isinstance(limits.apis, tuple) else ():
        if name not in apis:
            item.problem(f"apis: {unknown(name, apis, 'API')}")


def _note_rule(item: Item, rule: LimitRuleConfig, apis: Mapping[str, Any]) -> None:
    if _is_wrong(item):
        return
    for sentence in rule.contradictions():
        item.problem(sentence)
    if rule.api and rule.api not in apis:
        item.problem(f"api: {unknown(rule.api, apis, 'API')}")
    elif rule.user or rule.tags or rule.per == "user" or rule.per.startswith("tag:"):
        chosen = [apis[rule.api]] if rule.api else list(apis.values())
        if chosen and not any(api.attribution.enabled for api in chosen):
            item.problem("users and tags are not known where attribution is off, so that it would never hold")


def _is_wrong(item: Item) -> bool:
    """Whether something about it has been noted: more would only follow from that."""
    return any(path == item.path or path.startswith(f"{item.path}.") for path in item.document.problems.paths)
