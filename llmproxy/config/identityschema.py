"""The keys of C{identity}, and how each is read."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ..core.limits import stated
from ..core.roles import ROLES
from ..usagelimits import UsageLimits
from . import rules
from .document import Item
from .identity import ALGORITHMS, ClaimsConfig, GrantConfig, IdentityConfig, MatchConfig, ProviderConfig
from .problems import unknown
from .readers import NOTED, Reader, a_file, all_of, by, flag, one_of, section
from .secretvalues import secret_value
from .units import parse_duration
from .usagelimitschema import DEFAULT_KEYS

MOST_PROVIDERS = 20
MOST_RULES = 500
MOST_SKEW = 600.0
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,200}", re.ASCII)
"""RFC 6749 section 3.3."""


_PARAMETER = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
"""RFC 6749 appendix A: what names a parameter."""

OURS = frozenset(
    "response_type response_mode client_id client_secret redirect_uri scope state nonce code_challenge"
    " code_challenge_method request request_uri registration".split()
)
"""Parameters that would change what a sign-in is, or how its answer comes back."""


def is_loopback(host: str) -> bool:
    """Whether it is this machine, which nobody on the way can change."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def secure_url(text: str) -> str:
    """
    The text itself.

    @raise ValueError: somebody on the way could read or change what comes from there, or it is no URL.
    """
    try:
        rules.base_url(text)
    except ValueError as error:
        raise ValueError(str(error).replace("a base_url", "it")) from None
    parts = urlsplit(text)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"expected https:// (http:// only for this machine, as http://127.0.0.1), got {text[:80]!r}")
    return text


def provider_name(text: str) -> str:
    """It stands in addresses."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"expected a name of small letters, digits, - and _ (at most 40), got {text[:60]!r}")
    return text


def said(text: str) -> str:
    """A text that can be shown."""
    if not text.strip() or not text.isprintable() or len(text) > 255:
        raise ValueError(f"expected a text of up to 255 characters that can be shown, got {text[:60]!r}")
    return text


def algorithm(text: str) -> str:
    """One whose key is the provider's alone."""
    if text in ("HS256", "HS384", "HS512", "none"):
        raise ValueError(f"{text} is never taken: who can check such a signature can make one; use {ALGORITHMS[0]}")
    return one_of(*ALGORITHMS)(text)


def scope(text: str) -> str:
    if not _SCOPE.fullmatch(text):
        raise ValueError(f"expected a scope without spaces, such as profile, got {text[:60]!r}")
    return text


def skew(text: str) -> float:
    seconds = parse_duration(text)
    if seconds > MOST_SKEW:
        raise ValueError(f"expected a duration up to 10m, got {text[:40]!r}: set the clocks instead")
    return seconds


def or_off(text: str) -> float:
    """A duration; 0 is off."""
    return 0.0 if text in ("off", "0") else parse_duration(text)


def some(reader: Reader) -> Reader:
    """A list, or the one value of it."""
    several = all_of(reader)

    def read(item: Item) -> Any:
        if item.is_list:
            found = several(item)
            if not found and item.path not in item.document.problems.paths:
                item.problem("expected at least one value")
            return found
        value = reader(item)
        return NOTED if value is NOTED else (value,)

    return read


def _claim_patterns(item: Item) -> Any:
    found = {name: some(by(said))(child) for name, child in item.mapping().items()}
    return {name: value for name, value in found.items() if value is not NOTED}


def _parameters(item: Item) -> Any:
    found: dict[str, str] = {}
    for name, child in item.mapping().items():
        value = by(said)(child)
        if name in OURS:
            child.problem("it is the proxy's own to say")
        elif not _PARAMETER.fullmatch(name):
            child.problem(f"expected the name of a parameter, such as prompt, got {name[:60]!r}")
        elif value is not NOTED:
            found[name] = value
    return found


def _secret(item: Item) -> Any:
    value = secret_value(item)
    return NOTED if value is None else value


CLAIM_KEYS: dict[str, Reader] = dict.fromkeys(("person", "email", "name", "groups"), by(said))

PROVIDER_KEYS: dict[str, Reader] = {
    "name": by(provider_name),
    "issuer": by(secure_url),
    "client_id": by(said),
    "client_secret": _secret,
    "label": by(said),
    "scopes": some(by(scope)),
    "parameters": _parameters,
    "audiences": some(by(said)),
    "clients": some(by(said)),
    "claims": section(ClaimsConfig, CLAIM_KEYS),
    "algorithms": some(by(algorithm)),
    "clock_skew": by(skew),
    "trust_email": flag,
    "ca_file": a_file,
    "check_every": by(or_off),
    "check_grace": by(or_off),
}

MATCH_KEYS: dict[str, Reader] = {
    "provider": some(by(provider_name)),
    "groups": some(by(said)),
    "email": some(by(said)),
    "claims": _claim_patterns,
}

GRANT_KEYS: dict[str, Reader] = {
    "match": section(MatchConfig, MATCH_KEYS),
    "project": by(rules.project),
    "role": by(one_of(*ROLES)),
    "models": some(by(stated.model)),
    "limits": section(UsageLimits, DEFAULT_KEYS),
    "groups": some(by(said)),
    "deny": flag,
}


def _provider(item: Item) -> Any:
    found: ProviderConfig = section(_provider_of, PROVIDER_KEYS)(item)
    if not _is_wrong(item):
        for sentence in found.missing():
            item.problem(sentence)
        if "openid" not in found.scopes:
            item.document.problems.add(item.below("scopes"), "expected openid among them", item.position)
    return found


def _provider_of(name: str = "", **more: Any) -> ProviderConfig:
    return ProviderConfig(name, **more)


def _grant(item: Item) -> Any:
    found: GrantConfig = section(GrantConfig, GRANT_KEYS)(item)
    if not _is_wrong(item):
        for sentence in found.contradictions():
            item.problem(sentence)
        for name, sentence in stated.contradictions(found.limits):
            item.problem(f"limits: {name}: {sentence}")
    return found


def _at_most(most: int, read: Reader, what: str) -> Reader:
    def several(item: Item) -> Any:
        items = item.items()
        if len(items) > most:
            item.problem(f"expected at most {most} {what}")
        return tuple(map(read, items[:most]))

    return several


IDENTITY_KEYS: dict[str, Reader] = {
    "providers": _at_most(MOST_PROVIDERS, _provider, "providers"),
    "rules": _at_most(MOST_RULES, _grant, "rules"),
    "public_url": by(secure_url),
}


def read_identity(item: Item, apis: Collection[str]) -> IdentityConfig:
    """
    The section; what is wrong with it is noted.

    @param apis: the names of those that there are.
    """
    config: IdentityConfig = section(IdentityConfig, IDENTITY_KEYS)(item)
    if not _is_wrong(item):
        for key, sentence in config.conflicts():
            item.document.problems.add(item.below(key), sentence, item.position)
        for number, rule in enumerate(config.rules):
            for name in rule.limits.apis if isinstance(rule.limits.apis, tuple) else ():
                if name not in apis:
                    where = item.below(f"rules[{number}].limits.apis")
                    item.document.problems.add(where, unknown(name, apis, "API"), item.position)
    return config


def _is_wrong(item: Item) -> bool:
    """Whether something about it has been noted: more would only follow from that."""
    below = (f"{item.path}.", f"{item.path}[")
    return any(path == item.path or path.startswith(below) for path in item.document.problems.paths)
