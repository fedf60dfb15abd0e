"""
Configurations that a program made, checked by the very readers of configuration files.

What the values say is written down as nodes of YAML, as if it had stood in a file, and read: there is one place that
knows what is right. What a file cannot get wrong is whether a value is of the kind that it is read as: C{"30s"} is a
duration there, and nothing but a text here. So what was read is compared with what was given, by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import yaml
from attrs import define, field, fields, fields_dict, has

from ..core.clientlimits import Limits
from ..core.ledger.settings import LedgerOptions
from ..origin import CredentialPlace
from ..usagelimits import Overload, UsageLimits
from . import rules, schema, upstreamschema
from .agents import (
    AgentModelConfig,
    AgentModelsConfig,
    AgentsConfig,
    AgentSettingsConfig,
    ClaudeConfig,
    CodexConfig,
    SignInConfig,
)
from .agentsschema import AGENTS_KEYS, CLAUDE_KEYS, CODEX_KEYS, MODEL_KEYS, MODELS_KEYS, SETTINGS_KEYS, SIGN_IN_KEYS
from .attributionschema import ATTRIBUTION_KEYS
from .capture import CaptureConfig
from .captureschema import CAPTURE_KEYS
from .document import Document, Item
from .identity import ClaimsConfig, GrantConfig, IdentityConfig, MatchConfig, ProviderConfig
from .identityschema import CLAIM_KEYS, GRANT_KEYS, IDENTITY_KEYS, MATCH_KEYS, PROVIDER_KEYS
from .model import (
    APIProviderConfig,
    APIValues,
    AttributionConfig,
    BreakerConfig,
    CacheConfig,
    ConnectionConfig,
    MeterConfig,
    TimeoutConfig,
)
from .prices import PRICE_KEYS, PriceConfig
from .problems import Problems
from .redis import RedisConfig
from .redisschema import REDIS_KEYS
from .sinks import SinkConfig, is_secret
from .sinkschema import SINK_KEYS
from .tls import CERTIFICATE_KEYS, TLS_KEYS, CertificateConfig, TlsConfig
from .tracing import TRACING_KEYS, TracingConfig
from .upstreams import BalanceConfig, HealthConfig, RetryConfig, UpstreamConfig
from .usagelimits import LimitRuleConfig, UsageLimitsConfig
from .usagelimitschema import DEFAULT_KEYS, OVERLOAD_KEYS, RULE_KEYS, USAGE_LIMIT_KEYS

SECTIONS: dict[type, Mapping[str, Any]] = {
    APIProviderConfig: schema.API_KEYS,
    TimeoutConfig: schema.TIMEOUT_KEYS,
    ConnectionConfig: schema.CONNECTION_KEYS,
    BreakerConfig: schema.BREAKER_KEYS,
    CacheConfig: schema.CACHE_KEYS,
    MeterConfig: schema.METER_KEYS,
    AttributionConfig: ATTRIBUTION_KEYS,
    CaptureConfig: CAPTURE_KEYS,
    UpstreamConfig: upstreamschema.UPSTREAM_KEYS,
    HealthConfig: upstreamschema.HEALTH_KEYS,
    BalanceConfig: upstreamschema.BALANCE_KEYS,
    RetryConfig: upstreamschema.RETRY_KEYS,
    PriceConfig: PRICE_KEYS,
    UsageLimitsConfig: USAGE_LIMIT_KEYS,
    UsageLimits: DEFAULT_KEYS,
    LimitRuleConfig: RULE_KEYS,
    Overload: OVERLOAD_KEYS,
    Limits: schema.LIMIT_KEYS,
    LedgerOptions: schema.LEDGER_KEYS,
    RedisConfig: REDIS_KEYS,
    TlsConfig: TLS_KEYS,
    CertificateConfig: CERTIFICATE_KEYS,
    TracingConfig: TRACING_KEYS,
    AgentsConfig: AGENTS_KEYS,
    ClaudeConfig: CLAUDE_KEYS,
    CodexConfig: CODEX_KEYS,
    SignInConfig: SIGN_IN_KEYS,
    AgentModelsConfig: MODELS_KEYS,
    AgentModelConfig: MODEL_KEYS,
    AgentSettingsConfig: SETTINGS_KEYS,
    IdentityConfig: IDENTITY_KEYS,
    ProviderConfig: PROVIDER_KEYS,
    ClaimsConfig: CLAIM_KEYS,
    GrantConfig: GRANT_KEYS,
    MatchConfig: MATCH_KEYS,
    APIValues: dict.fromkeys(schema.TOP_KEYS),
}
"""The classes that are mappings in a file, with their keys."""

_VARIABLE = "KEY"
_NOWHERE = yaml.Mark("", 0, 0, 0, None, 0)
_TAG = "tag:yaml.org,2002:"
_WORDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def check_api(config: APIProviderConfig, api_name: str, set_x_forwarded_for: bool) -> None:
    """
    @param config: a L{llmproxy.config.apis.ProxyConfig}, whose own two fields are the others.
    @raise ConfigError: with everything that is wrong; each sentence names the field.
    """
    lowering = _Lowering()
    read = schema.read_api(str(api_name), lowering.item(config))
    _Comparison(lowering.problems).compare(config, read, "")
    _Comparison(lowering.problems).compare(api_name, "", "api_name")
    _Comparison(lowering.problems).compare(set_x_forwarded_for, False, "set_x_forwarded_for")
    lowering.problems.fail()


def check_config(config: APIValues, reserved: frozenset[str]) -> None:
    """
    @param reserved: names that no API can have.
    @raise ConfigError: with everything that is wrong; each sentence names the field.
    """
    lowering = _Lowering()
    read = schema.read_config(lowering.item(config), reserved, None)
    _Comparison(lowering.problems).compare(config, read, "")
    lowering.problems.fail()


class _Unplaced(Problems):
    """Problems of a document that has no lines."""

    def add(self, path: str, text: str, position: tuple[int, int] | None = None) -> None:
        super().add(path, text)


@define
class _Lowering:
    """What a program said, as it would stand in a file."""

    problems: Problems = field(factory=_Unplaced)

    def item(self, config: Any) -> Item:
        node = self.node(config, "")
        # A program may make as many values as it likes: no alias repeats them.
        return Item(Document(self.problems, {_VARIABLE: "x"}, -(10**12)), node, "")

    def node(self, value: Any, path: str) -> yaml.Node:
        section = section_of(value)
        if section is not None:
            # A file holds no password; a program may.
            said = _said(value.without_credentials() if isinstance(value, RedisConfig) else value, section)
            name = _secret_in(section)
            secret = said.pop(name, None)
            pairs = [] if secret is None else [(_scalar(name), self._secret(secret, below(path, name)))]
            return self._mapping(said, path, pairs)
        if isinstance(value, SinkConfig):
            return self._sink(value, path)
        if isinstance(value, CredentialPlace):
            return self._mapping(_place(value), path) if value.kind != "none" else _scalar("none")
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    self.problems.add(path, f"expected texts as keys, got {_shown(key)}")
            return self._mapping({str(key): each for key, each in value.items()}, path)
        if isinstance(value, (list, tuple, set, frozenset)):
            items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
            nodes = [self.node(each, f"{path}[{number}]") for number, each in enumerate(items)]
            return yaml.SequenceNode(_TAG + "seq", nodes, _NOWHERE)
        if value is None or isinstance(value, (bool, int, float, str, Decimal)):
            return _text(value)
        self.problems.add(path, f"cannot be {_shown(value)}")
        return _scalar("null", "null")

    def _sink(self, sink: SinkConfig, path: str) -> yaml.Node:
        """The settings of its type stand beside the others; those that are secret are named in a file."""
        defaults = {each.name: each.default for each in fields(SinkConfig)}
        said = {
            name: value
            for name in SINK_KEYS
            if (value := getattr(sink, name)) is not None and (value != defaults[name] or isinstance(value, bool))
        }
        if not isinstance(sink.settings, Mapping):
            self.problems.add(below(path, "settings"), f"expected a mapping, got {_shown(sink.settings)}")
            return self._mapping(said, path)
        for name in sink.settings.keys() & SINK_KEYS.keys():
            self.problems.add(below(path, name), "is one of all sinks, and stands in its own field")
        rest = {str(name): value for name, value in sink.settings.items() if name not in SINK_KEYS}
        return self._mapping(said, path, self._with_secrets(rest, path))

    def _with_secrets(self, settings: Mapping[str, Any], path: str) -> list[tuple[Any, Any]]:
        """Where a secret stands in a program, a file names one."""
        named = _scalar(f"${{{_VARIABLE}}}")
        pairs: list[tuple[Any, Any]] = []
        for name, value in settings.items():
            if isinstance(value, Mapping):
                inner = self._with_secrets({str(each): value[each] for each in value}, below(path, name))
                node: yaml.Node = yaml.MappingNode(_TAG + "map", inner, _NOWHERE)
            elif is_secret(name) and isinstance(value, str):
                node = named
            else:
                node = self.node(_without_password(value), below(path, name))
            pairs.append((_scalar(name), node))
        return pairs

    def _secret(self, value: Any, path: str) -> yaml.Node:
        """A file names the variable that a key stands in; a program has it."""
        try:
            rules.secret(value if isinstance(value, str) else "")
        except ValueError as error:
            self.problems.add(path, str(error))
        return _scalar(f"${{{_VARIABLE}}}")

    def _mapping(self, values: Mapping[str, Any], path: str, more: Iterable[tuple[Any, Any]] = ()) -> yaml.Node:
        pairs = [(_scalar(name), self.node(each, below(path, name))) for name, each in values.items()]
        return yaml.MappingNode(_TAG + "map", [*pairs, *more], _NOWHERE)


@define
class _Comparison:
    """What was given, beside what the readers made of it."""

    problems: Problems

    def compare(self, given: Any, read: Any, path: str) -> None:
        if any(each == path or each.startswith((f"{path}.", f"{path}[")) for each in self.problems.paths if path):
            return
        section = section_of(read)
        if section is not None:
            self._sections(given, read, path)
        elif isinstance(read, Mapping) and isinstance(given, Mapping):
            for name, each in read.items():
                self.compare(_named(given, name), each, below(path, name))
        elif isinstance(read, (tuple, frozenset)):
            self._lists(given, read, path)
        elif not _is_kind(given, read):
            self.problems.add(path, f"expected {_expected(read)}, got {_shown(given)}")

    def _sections(self, given: Any, read: Any, path: str) -> None:
        if not isinstance(given, type(read)):
            self.problems.add(path, f"expected a {type(read).__name__}, got {_shown(given)}")
            return
        for name in section_of(read) or ():
            one, other = getattr(given, name), getattr(read, name)
            if one is None and other is not None and not _takes_none(type(read), name):
                self.problems.add(below(path, name), f"expected {_expected(other)}, got None")
            elif one is not None:
                self.compare(one, other, below(path, name))

    def _lists(self, given: Any, read: Any, path: str) -> None:
        if not isinstance(given, (list, tuple, set, frozenset)):
            self.problems.add(path, f"expected a list, got {_shown(given)}")
        elif isinstance(read, tuple) and len(read) == len(given):
            for number, (one, other) in enumerate(zip(given, read, strict=True)):
                self.compare(one, other, f"{path}[{number}]")


def section_of(value: Any) -> Mapping[str, Any] | None:
    """The keys that a value is a section of; C{None} if it is none."""
    return next((keys for kind, keys in SECTIONS.items() if isinstance(value, kind)), None)


def _secret_in(section: Mapping[str, Any]) -> str:
    """The key of a section whose value is a secret; C{""} if none is."""
    if section is PROVIDER_KEYS:
        return "client_secret"
    return "key" if section.get("key") is upstreamschema.key else ""


def below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _said(value: Any, section: Mapping[str, Any]) -> dict[str, Any]:
    """What is not as it is when nothing is said; that need not be what a file can say."""
    defaults = {each.name: each.default for each in fields(type(value))}
    given = {name: getattr(value, name) for name in section}
    return {
        # In pairs where it is a value that can be compared; a file has a mapping.
        name: dict(each) if name == "downgrade" else each
        for name, each in given.items()
        if each is not None and not (type(each) is type(defaults[name]) and each == defaults[name])
    }


def _without_password(value: Any) -> Any:
    """A URL, for the rules of a file, where no password stands."""
    return re.sub(r"(?<=://)[^/?]*@", "", value) if isinstance(value, str) else value


def _place(place: CredentialPlace) -> dict[str, Any]:
    name, prefix = place.name.decode("latin-1"), place.prefix.decode("latin-1")
    return {place.kind: name} | ({"prefix": prefix} if prefix else {})


def _scalar(text: str, kind: str = "str") -> yaml.Node:
    return yaml.ScalarNode(_TAG + kind, text, _NOWHERE)


def _text(value: Any) -> yaml.Node:
    if value is None or isinstance(value, bool):
        return _scalar(str(value).lower(), "null" if value is None else "bool")
    if isinstance(value, str):
        return _scalar(value.replace("$", "$$"))
    if isinstance(value, int):
        return _scalar(str(value))
    # Without an exponent, which no file can have.
    return _scalar(format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f"))


def _named(given: Mapping[Any, Any], name: str) -> Any:
    return next(each for key, each in given.items() if str(key) == name)


def _is_kind(given: Any, read: Any) -> bool:
    if isinstance(read, float):
        return isinstance(given, (int, float)) and not isinstance(given, bool)
    if isinstance(read, Decimal) and type(given) is int:
        return True
    return type(given) is type(read) or (isinstance(given, type(read)) and not isinstance(given, bool))


def _takes_none(kind: type, name: str) -> bool:
    return "None" in str(fields_dict(kind)[name].type)


def _expected(read: Any) -> str:
    if read is None:
        return "None, which is what 0 says in a file"
    return _WORDS.get(type(read)) or f"a {type(read).__name__}"


def _shown(value: Any) -> str:
    hidden = has(type(value)) or isinstance(value, (bytes, Mapping))
    return f"a {type(value).__name__}" if hidden else repr(value)[:80]
