"""C{docs/settings.md}: every key with its default, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from attrs import NOTHING, Factory, fields_dict
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.config import APIProviderConfig, CacheConfig
from llmproxy.config.document import Document, Item
from llmproxy.config.lowering import SECTIONS
from llmproxy.config.model import APIValues
from llmproxy.config.problems import Problems
from llmproxy.config.sinks import SinkConfig
from llmproxy.config.sinkschema import SINK_KEYS
from llmproxy.config.usagelimits import COUNTED, LimitRuleConfig
from llmproxy.usagelimits import UNSET

from ..tables import row

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text("utf-8")
CODE = re.compile(r"`([^`]+)`")
EMPTY = (None, UNSET, (), {}, "", NOTHING, frozenset())

HEADINGS = {
    "The whole file": APIValues,
    "An API": APIProviderConfig,
    "`timeouts`": "TimeoutConfig",
    "`connection`": "ConnectionConfig",
    "`breaker`": "BreakerConfig",
    "`cache`": "CacheConfig",
    "`capture`": "CaptureConfig",
    "`meter`": "MeterConfig",
    "`attribution`": "AttributionConfig",
    "an entry of `upstreams`": "UpstreamConfig",
    "`health`": "HealthConfig",
    "`balance`": "BalanceConfig",
    "`retry`": "RetryConfig",
    "`limits`": "Limits",
    "`usage_limits`": "UsageLimitsConfig",
    "`defaults`": "UsageLimits",
    "an entry of `rules`": "LimitRuleConfig",
    "`overload`": "Overload",
    "`ledger`": "LedgerOptions",
    "an entry of `prices`": "PriceConfig",
    "`redis`": "RedisConfig",
    "an entry of `sinks`": SinkConfig,
    "`tls`": "TlsConfig",
    "an entry of `certificates`": "CertificateConfig",
    "`tracing`": "TracingConfig",
    "`identity`": "IdentityConfig",
    "an entry of `providers`": "ProviderConfig",
    "`claims`": "ClaimsConfig",
    "a rule of `identity`": "GrantConfig",
    "`match`": "MatchConfig",
    "`agents`": "AgentsConfig",
    "`claude`": "ClaudeConfig",
    "`codex`": "CodexConfig",
    "an entry of `models` of `agents`": "AgentModelsConfig",
    "one of these models": "AgentModelConfig",
    "an entry of `settings`": "AgentSettingsConfig",
    "`sign_in`": "SignInConfig",
}
"""What the first cell of a table's head says, and the class whose keys it has."""

ALL: dict[type, Mapping[str, Any]] = {**SECTIONS, SinkConfig: SINK_KEYS}
CLASSES = {each.__name__: each for each in ALL}


def tables() -> dict[type, list[list[str]]]:
    """The rows of each table, by the class whose keys they are."""
    found: dict[type, list[list[str]]] = {}
    for section in re.split(r"^#+ ", PAGE, flags=re.MULTILINE):
        title = section.partition("\n")[0]
        for lines in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
            rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines.splitlines()]
            of = HEADINGS[rows[0][0].removeprefix("key of ") if " of " in rows[0][0] else title]
            found[CLASSES[of] if isinstance(of, str) else of] = rows[2:]
    return found


def default_of(kind: type, name: str) -> Any:
    """Of a field, made where it is made anew for each."""
    if kind is CacheConfig:
        return getattr(CacheSettings(), name, True)
    default = fields_dict(kind)[name].default
    return default.factory() if isinstance(default, Factory) else default  # type: ignore[arg-type]


def read(reader: Any, text: str) -> Any:
    """What a file says with this value."""
    document = Document(Problems(), {}, is_pasted=True)
    node = yaml.compose(text)
    assert node is not None
    found = reader(Item(document, node, "key"))
    assert not document.problems.found, document.problems.found
    return found


class PageTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """Each key of each section is on the page once."""
        found = tables()
        self.assertEqual({each.__name__ for each in ALL} - {each.__name__ for each in found}, set())
        for kind, keys in ALL.items():
            with row(kind.__name__):
                said = [name for line in found[kind] for name in CODE.findall(line[0])]
                expected = set(keys) - (set(COUNTED) if kind is LimitRuleConfig else set())
                self.assertEqual(sorted(said), sorted(expected))

    def test_defaults(self) -> None:
        """Each default is what a file without the key has."""
        for kind, rows in tables().items():
            for cells in rows:
                for name in CODE.findall(cells[0]):
                    if cells[1] == "required":
                        continue
                    with row(kind.__name__, name, cells[1]):
                        self.default(kind, name, cells[1])

    def default(self, kind: type, name: str, said: str) -> None:
        default = default_of(kind, name)
        if not said:
            sections = isinstance(default, tuple(ALL))
            self.assertTrue(sections or default in EMPTY, default)
            return
        found = read(ALL[kind][name], CODE.findall(said)[0]) if ALL[kind][name] is not None else said.strip("`")
        self.assertEqual(_plain(found), _plain(default))


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return float(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value
