"""Configurations of a program and of a file: what is wrong in one is wrong in the other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from attrs import evolve, fields
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, APIProviderConfig, ProxyConfig, load_api_config
from llmproxy.config.agents import AgentsConfig, ClaudeConfig, SignInConfig
from llmproxy.config.attributionschema import ATTRIBUTION_KEYS
from llmproxy.config.capture import CaptureConfig
from llmproxy.config.captureschema import CAPTURE_KEYS
from llmproxy.config.identity import GrantConfig, IdentityConfig, ProviderConfig
from llmproxy.config.lowering import SECTIONS
from llmproxy.config.model import (
    AttributionConfig,
    BreakerConfig,
    CacheConfig,
    ConnectionConfig,
    MeterConfig,
    TimeoutConfig,
)
from llmproxy.config.redis import RedisConfig
from llmproxy.config.rules import AUTH
from llmproxy.config.schema import (
    API_KEYS,
    BREAKER_KEYS,
    CACHE_KEYS,
    CONNECTION_KEYS,
    LEDGER_KEYS,
    LIMIT_KEYS,
    METER_KEYS,
    TIMEOUT_KEYS,
    TOP_KEYS,
)
from llmproxy.config.sinks import SinkConfig
from llmproxy.config.tls import CertificateConfig, TlsConfig
from llmproxy.config.tracing import TracingConfig
from llmproxy.config.upstreams import BalanceConfig, RetryConfig, UpstreamConfig
from llmproxy.config.upstreamschema import BALANCE_KEYS, RETRY_KEYS
from llmproxy.core.clientlimits import Limits
from llmproxy.core.ledger.settings import LedgerOptions
from llmproxy.errors import ConfigError
from llmproxy.origin import CredentialPlace

from ..properties import examples
from ..tables import row

API = APIProviderConfig(base_url="http://a", allowed_endpoints=["/v1"], allowed_methods=["POST"])
EXAMPLE = Path(__file__).parents[2] / "config" / "apis.yaml"

FILE = """\
default_api: a
{top}apis:
  a:
    base_url: http://a
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
{api}"""

DURATION: tuple[tuple[str, Any], ...] = (("-1s", -1), ("-0.5", -0.5), ("soon", "soon"), ("{a: 1}", {"a": 1}))
"""What is no duration, as it stands in a file, and in a program."""
IN_PROGRAMS = ("30s", math.nan, math.inf, True, b"30", object(), [1])
"""What is none in a program alone."""
NUMBER: tuple[tuple[str, Any], ...] = (("-1", -1), ("1.5", 1.5), ("many", "many"), ("[1]", [1]))
SIZE: tuple[tuple[str, Any], ...] = (("-1", -1), ("large", "large"), ("[1]", [1]))
FLAG: tuple[tuple[str, Any], ...] = (("maybe", "maybe"), ("[true]", [True]), ("2", 2))
LIST: tuple[tuple[str, Any], ...] = (("GET", "GET"), ("{a: b}", {"a": "b"}), ("[[a]]", [["a"]]))

OWNERS = GrantConfig(role="owner")

WRONG: dict[str, tuple[tuple[str, Any], ...]] = {
    "base_url": (("ftp://a", "ftp://a"), ("[http://b]", ["http://b"]), ("http://a?x", "http://a?x")),
    "allowed_endpoints": (*LIST, ("[v1]", ["v1"])),
    "allowed_methods": (*LIST, ("[TRACE]", ["TRACE"]), ("['G T']", ["G T"])),
    "timeouts": (("30s", "30s"), ("[1]", [1])),
    "connection": (("30s", "30s"), ("{client_key: /dev/null}", ConnectionConfig(client_key="/dev/null"))),
    "param_whitelist": (
        ("[model]", ["model"]),
        ("{model: []}", {"model": []}),
        ("{model: {a: b}}", {"model": {"a": "b"}}),
        ("{/v1: [a]}", {"/v1": ["a"]}),
        ("{/v1: {}}", {"/v1": {}}),
    ),
    "unchecked_endpoints": (*LIST, ("[v1]", ["v1"])),
    "allowed_origins": (*LIST, ("[a.example]", ["a.example"])),
    "required_headers": (*LIST, ("['a b']", ["a b"])),
    "auth": (("bear", "bear"), ("{header: 'a b'}", CredentialPlace("header", b"a b", b"")), ("[bearer]", ["bearer"])),
    "key": (("'sk 1'", "sk 1"), ("''", ""), ("[k]", ["k"])),
    "own_key_for": (("everyone", "everyone"), ("['']", [""]), ("{a: b}", {"a": "b"})),
    "dialect": (("klingon", "klingon"), ("[openai]", ["openai"])),
    "debug_headers": FLAG,
    "breaker": (("soon", "soon"), ("[1]", [1])),
    "cache": (("soon", "soon"), ("[1]", [1])),
    "meter": (("soon", "soon"), ("[1]", [1])),
    "meter.enabled": FLAG,
    "meter.include_usage": (("maybe", "maybe"), ("[keep]", ["keep"])),
    "meter.usage_trailer": FLAG,
    "meter.estimate": FLAG,
    "ledger": (("soon", "soon"), ("[1]", [1])),
    "ledger.enabled": FLAG,
    "ledger.directory": (("''", ""), ("/dev/null", "/dev/null"), ("[a]", ["a"])),
    "ledger.fsync": DURATION,
    "ledger.keep_records": (*DURATION, ("90", 90)),
    "ledger.most_waiting": (*SIZE, ("1KiB", 1024)),
    "ledger.own_process": FLAG,
    "attribution": (
        ("soon", "soon"),
        ("[1]", [1]),
        ("{project_tags: {a: [b]}}", AttributionConfig(project_tags={"a": ("b",)})),
    ),
    "attribution.enabled": FLAG,
    "attribution.tags": (*LIST, ("[Team]", ["Team"])),
    "attribution.project_tags": (("[a]", ["a"]), ("{a: b}", {"a": "b"}), ("{a: [B]}", {"a": ["B"]})),
    "attribution.hash": (*LIST, ("[program]", ["program"])),
    "attribution.bodies": FLAG,
    "attribution.programs": (*LIST, ("[a/1]", ["a/1"])),
    "capture": (
        ("soon", "soon"),
        ("[1]", [1]),
        ("{headers: [Authorization]}", CaptureConfig(headers=("Authorization",))),
    ),
    "capture.enabled": FLAG,
    **{f"capture.{name}": (*SIZE, ("1GiB", 1 << 30)) for name in ("request", "response")},
    "capture.headers": (*LIST[:2], ("['a b']", ["a b"]), ("[Cookie]", ["Cookie"])),
    "capture.sample": (("1.5", 1.5), ("-0.1", -0.1), ("some", "some"), ("[0.1]", [0.1])),
    "capture.redact": (*LIST, ("[mail]", ["mail"]), ("[$user]", ["$user"]), ("[{regex: 5, a: b}]", [{"regex": "a*"}])),
    "capture.opt_out": FLAG,
    "forwarded_fields": (("all", "all"), ("[set]", ["set"])),
    "rewrite_locations": FLAG,
    "filter_models": FLAG,
    "max_inspected_body": SIZE,
    **{f"timeouts.{name}": DURATION for name in TIMEOUT_KEYS if name != "flush_interval"},
    "timeouts.flush_interval": DURATION[2:],
    **{f"connection.{name}": NUMBER for name in ("max_idle_conns", "max_idle_conns_per_host")},
    "connection.max_conns_per_host": (*NUMBER, ("0", 0)),
    "connection.max_lifetime": DURATION,
    **{
        f"connection.{name}": (("/not/there", "/not/there"), ("[a]", ["a"]))
        for name in ("ca_file", "client_cert", "client_key")
    },
    **{f"connection.{name}": FLAG for name in ("verify", "proxy_from_environment", "http2")},
    "breaker.threshold": (*NUMBER, ("0", 0)),
    "breaker.cooldown": (*DURATION, ("0", 0)),
    "breaker.statuses": (*LIST, ("[200]", [200]), ("[5xx]", ["5xx"]), ("503", 503)),
    "breaker.enabled": FLAG,
    **{f"cache.{name}": FLAG for name in ("enabled", "streams")},
    "cache.scope": (("everyone", "everyone"), ("[shared]", ["shared"])),
    "cache.post": (("always", "always"), ("[off]", ["off"])),
    **{f"cache.{name}": SIZE for name in ("post_max_body", "max_object")},
    **{f"cache.{name}": DURATION for name in ("post_max_age", "default_ttl", "heuristic_max", "keep_stale", "wait")},
    "cache.heuristic": (("1.5", 1.5), ("-0.1", -0.1), ("some", "some"), ("[0.1]", [0.1])),
    **{f"limits.{name}": (*SIZE, ("1", 1)) for name in ("target", "head", "body", "waiting")},
    "limits.fields": (*NUMBER, ("1", 1)),
    **{f"limits.{name}": SIZE for name in ("unread", "withheld")},
    "limits.withheld_rate": (*SIZE, ("0", 0)),
    **{
        f"limits.{name}": (*DURATION, ("0", 0))
        for name in ("head_time", "body_silence", "send_silence", "half_closed", "idle", "closing")
    },
    **{f"limits.{name}": NUMBER for name in ("connections", "connections_per_client")},
    "upstreams": (("http://a", "http://a"), ("{}", {}), ("[a]", ["a"]), ("[{name: a}]", [UpstreamConfig("a")])),
    "headers": (("[a]", ["a"]), ("{Host: a}", {"Host": "a"}), ("{X: [1]}", {"X": [1]})),
    "balance": (("random", "random"), ("[weighted]", ["weighted"])),
    "balance.by": (("random", "random"), ("[weighted]", ["weighted"])),
    "balance.keys": (("random", "random"), ("[priority]", ["priority"])),
    "balance.slow_start": DURATION,
    "balance.panic_threshold": (("1.5", 1.5), ("-0.1", -0.1), ("some", "some")),
    "sticky": (("user", "user"), ("'header:'", "header:"), ("[token]", ["token"])),
    "retry": (("maybe", "maybe"), ("[1]", [1])),
    "retry.attempts": (*NUMBER, ("0", 0), ("21", 21)),
    "retry.statuses": (*LIST, ("[200]", [200]), ("503", 503)),
    "retry.budget": (("1.5", 1.5), ("-0.1", -0.1), ("some", "some")),
    "retry.replay": SIZE,
    "retry.max_wait": DURATION,
    "retry.hedge": (("1.5", 1.5), ("-0.1", -0.1), ("some", "some")),
    "fallback": (("b", "b"), ("[[b]]", [["b"]]), ("['b c']", ["b c"]), ("[a]", ["a"])),
    "apis": (("[a]", ["a"]), ("{}", {})),
    "default_api": (("b", "b"), ("[a]", ["a"])),
    "limits": (("30s", "30s"), ("[1]", [1])),
    "trusted_proxies": (*LIST, ("[proxy.local]", ["proxy.local"])),
    "forwarded_header": (("x-real-ip", "x-real-ip"), ("[forwarded]", ["forwarded"])),
    "redis": (
        ("redis://a", "redis://a"),
        ("{url: http://a}", RedisConfig(url="http://a")),
        ("{url: 'redis://a', pool: 0}", RedisConfig("redis://a", pool=0)),
        ("{timeout: 0}", RedisConfig(timeout=0)),
        ("{prefix: 'a b'}", RedisConfig(prefix="a b")),
    ),
    "tls": (
        ("soon", "soon"),
        ("[1]", [1]),
        ("{certificates: [{cert: /no/cert}]}", TlsConfig((CertificateConfig("/no/cert"),))),
        ("{client_auth: required}", TlsConfig(client_auth="required")),
    ),
    "usage_limits": (("{rpm: 1}", {"rpm": 1}), ("[5]", [5])),
    "tracing": (
        ("maybe", "maybe"),
        ("{traceparent: b3}", TracingConfig(traceparent="b3")),
        ("{sampler: xray}", TracingConfig(sampler="xray")),
        ("{sampler: traceidratio, ratio: 2}", TracingConfig(sampler="traceidratio", ratio=2)),
    ),
    "agents": (
        ("5", 5),
        ("{claude: 5}", AgentsConfig(5)),  # type: ignore[arg-type]
        ("{claude: {api: nowhere}}", AgentsConfig(ClaudeConfig("nowhere"))),
        ("{claude: {telemetry: maybe}}", AgentsConfig(ClaudeConfig(telemetry="maybe"))),  # type: ignore[arg-type]
        ("{sign_in: {token_lifetime: 0}}", AgentsConfig(sign_in=SignInConfig(0))),
    ),
    "identity": (
        ("on", "on"),
        ("{providers: []}", IdentityConfig()),
        ("{providers: [{name: A}], rules: [{role: owner}]}", IdentityConfig((ProviderConfig("A"),), (OWNERS,))),
        ("{public_url: 'http://a'}", IdentityConfig(public_url="http://a")),
    ),
    "sinks": (
        ("5", 5),
        ("[5]", [5]),
        ("[{name: a}]", [{"name": "a", "type": "file"}]),
        ("[{name: a, type: file, batch: 0}]", [SinkConfig("a", "file", batch=0)]),
        ("[{name: a, type: file, when: {x: 1}}]", [SinkConfig("a", "file", when={"x": 1})]),
        ("[{name: '', type: file}]", [SinkConfig("", "file")]),
    ),
    "prices": (("{input: 1}", {"input": 1}), ("[5]", [5]), ("[{inptu: 1}]", [{"inptu": 1}])),
}
"""By the path of a key, values that are wrong: in a file, and the same in a program."""

KEYS = {
    "": [*API_KEYS, *TOP_KEYS],
    "timeouts.": TIMEOUT_KEYS,
    "connection.": CONNECTION_KEYS,
    "breaker.": BREAKER_KEYS,
    "cache.": CACHE_KEYS,
    "meter.": METER_KEYS,
    "attribution.": ATTRIBUTION_KEYS,
    "capture.": CAPTURE_KEYS,
    "balance.": BALANCE_KEYS,
    "retry.": RETRY_KEYS,
    "limits.": LIMIT_KEYS,
    "ledger.": LEDGER_KEYS,
}
PARTS: dict[str, Any] = {
    "timeouts": TimeoutConfig(),
    "connection": ConnectionConfig(),
    "breaker": BreakerConfig(),
    "cache": CacheConfig(),
    "meter": MeterConfig(),
    "attribution": AttributionConfig(),
    "capture": CaptureConfig(),
    "balance": BalanceConfig(),
    "retry": RetryConfig(),
}
OF_ALL: dict[str, Any] = {"limits": Limits(), "ledger": LedgerOptions()}


class TableTests(SynchronousTestCase):
    def test_every_key(self) -> None:
        """The table has every key that a file may have."""
        self.assertEqual(set(WRONG), {prefix + name for prefix, names in KEYS.items() for name in names})

    def test_in_files(self) -> None:
        """Each of the values is refused in a file, by a sentence that names the key."""
        for path, values in WRONG.items():
            for text, _ in values:
                name = self.mktemp()
                Path(name).write_text(self.file(path, text))
                error = self.assertRaises(ConfigError, load_api_config, name, env={"KEY": "x"})
                self.assertTrue(any(path in problem for problem in error.problems), (path, text, error.problems))

    def file(self, path: str, text: str) -> str:
        section, _, name = path.rpartition(".")
        line = f"{section}: {{{name}: {text}}}\n" if section else f"{name}: {text}\n"
        if path == "apis":
            return f"default_api: a\n{line}"
        if path == "default_api":
            return FILE.format(top="", api="").replace("default_api: a\n", line)
        if path.split(".")[0] in TOP_KEYS:
            return FILE.format(top=line, api="")
        made = FILE.format(top="", api=f"    {line}")
        return (
            made.replace(f"    {name}: [POST]\n", "")
            .replace(f"    {name}: [/v1]\n", "")
            .replace(f"    {name}: http://a\n", "" if name == "base_url" else f"    {name}: http://a\n")
        )

    def test_in_programs(self) -> None:
        """So it is in a program, of one API and of all."""
        for path, values in WRONG.items():
            for _, value in values:
                self.refused(path, value)

    def test_kinds(self) -> None:
        """What only a file can say so, or nobody, is refused in a program too."""
        for path, (first, *_) in WRONG.items():
            odd: list[Any] = [b"x", object(), 1j]
            if first in DURATION:
                odd += IN_PROGRAMS
            if path not in ("apis", "default_api"):
                for value in odd:
                    self.refused(path, value)

    def test_none(self) -> None:
        """C{None} stands for no limit where there can be none, and is no value elsewhere."""
        for section, part in {**PARTS, **OF_ALL}.items():
            for field in fields(type(part)):
                config = self.all_of(f"{section}.{field.name}", None)
                if "None" in str(field.type):
                    config.validate()
                else:
                    with row(section, field):
                        self.assertRaises(ConfigError, config.validate)
        for name in ("base_url", "allowed_methods", "auth", "dialect", "timeouts", "cache", "param_whitelist"):
            with row(name):
                self.assertRaises(ConfigError, self.all_of(name, None).validate)

    def refused(self, path: str, value: Any) -> None:
        error = self.assertRaises(ConfigError, self.all_of(path, value).validate)
        name = path if path.split(".")[0] in TOP_KEYS else f"apis.a.{path}"
        told = [problem for problem in error.problems if problem.startswith((name, f"apis.a: {path}"))]
        known = path in ("apis", "default_api") or told
        self.assertTrue(known, (path, value, error.problems))
        if path.split(".")[0] not in TOP_KEYS:
            one = self.assertRaises(ConfigError, self.one_of(path, value).validate)
            self.assertTrue(any(path in problem for problem in one.problems), (path, value, one.problems))
            self.assertRaises(ConfigError, self.one_of(path, value).compiled)

    def one_of(self, path: str, value: Any) -> ProxyConfig:
        api = self.api_of(path, value)
        return ProxyConfig(**{field.name: getattr(api, field.name) for field in fields(APIProviderConfig)})

    def api_of(self, path: str, value: Any) -> APIProviderConfig:
        section, _, name = path.rpartition(".")
        changed = evolve(PARTS[section], **{name: value}) if section else value
        return evolve(API, **{section or name: changed})

    def all_of(self, path: str, value: Any) -> APIConfig:
        section, _, name = path.rpartition(".")
        config = APIConfig({"a": API}, "a")
        if section in OF_ALL:
            return evolve(config, **{section: evolve(OF_ALL[section], **{name: value})})
        if path in TOP_KEYS:
            return evolve(config, **{path: value})
        return evolve(config, apis={"a": self.api_of(path, value)})


class RightTests(SynchronousTestCase):
    def test_what_files_say(self) -> None:
        """What was loaded from a file passes, whatever stands in it, and so does each of its APIs."""
        config = load_api_config(EXAMPLE, env={})
        config.validate()
        for name in config.apis:
            config.proxy_config(name).validate()

    def test_values(self) -> None:
        """Numbers as they are, each place for a key, dollar signs, letters of any case; nothing is interpolated."""
        for changes in (
            {"timeouts": TimeoutConfig(None, 1, 0.001, 0.0, 1e-7, 1e12, None)},
            {"timeouts": TimeoutConfig(flush_interval=-1.0)},
            {"breaker": BreakerConfig(enabled=False)},
            {"meter": MeterConfig(enabled=False)},
            {"meter": MeterConfig(None, "inject", True, True)},
            {"attribution": AttributionConfig(enabled=False)},
            {"attribution": AttributionConfig(tags=["team"], project_tags={"p": ["x"]}, hash=["user"], programs=["A"])},
            {"breaker": BreakerConfig(1, 0.5, [503, 504])},
            {"cache": CacheConfig(False, "shared", "opt_in", 0, 0, True, 5, 1, 1.5, 10**12, 0.0, 0)},
            {"allowed_methods": ("get", "POST")},
            {"allowed_methods": (name for name in ("GET", "POST"))},
            {"allowed_methods": {"GET": 1, "POST": 2}.keys(), "key": "k", "own_key_for": iter(["a"])},
            {"param_whitelist": {"$model": ["${HOME}", "$", "$$"], "/v1": {"n": ("1",)}}},
            {"key": "sk-${HOME}$", "own_key_for": "all"},
            {"key": "file:/x", "own_key_for": {"a", "b"}},
            {
                "headers": {"OpenAI-Organization": "org-$x"},
                "balance": BalanceConfig("peak_ewma", "least_used", 30, 0.5),
            },
            {"sticky": "header:x-user", "retry": RetryConfig(3, [503], 1, 0, 0, 0.95)},
            {"base_url": "", "upstreams": [UpstreamConfig("a", "http://a"), UpstreamConfig("b", "http://b", key="$k")]},
            {
                "base_url": "",
                "own_key_for": "all",
                "upstreams": [
                    UpstreamConfig(
                        "a",
                        "https://a",
                        2,
                        3,
                        "file:/x",
                        "azure",
                        "own",
                        {"X-A": "b"},
                        "eu",
                        ["gpt-*"],
                        "2024-10-21",
                        "b.example:1",
                        "c.example",
                        AUTH["api-key"],
                        "azure",
                    )
                ],
            },
            *({"auth": place} for place in AUTH.values()),
            {"auth": CredentialPlace("query", b"key", b"")},
            {"auth": CredentialPlace("header", b"X-Key", b"")},
        ):
            config = evolve(API, **changes)
            APIConfig({"a": config}, "a").validate()

    def test_names(self) -> None:
        """Names that a file would be refused for, or could not have."""
        for apis in ({"live": API}, {"a b": API}, {1: API}, {"a": "x"}, {"a": API, "A": API}, [API]):
            with row(apis):
                self.assertRaises(ConfigError, APIConfig(apis, "a").validate)  # type: ignore[arg-type]
        for changes in ({"api_name": 1}, {"set_x_forwarded_for": "yes"}, {"set_x_forwarded_for": 1}):
            config: Any = ProxyConfig("http://a", ["/x"], ["GET"], **changes)
            with row(changes):
                error = self.assertRaises(ConfigError, config.validate)
            self.assertIn(next(iter(changes)), str(error))

    def test_secret(self) -> None:
        """No sentence shows a key, whatever is wrong with it."""
        for key in ("sk canary", "canary\n", "canaryé", b"canary", ["canary"], 5):
            with row(key):
                error = self.assertRaises(ConfigError, APIConfig({"a": evolve(API, key=key)}, "a").validate)
            self.assertNotIn("canary", str(error))

    def test_sections(self) -> None:
        """Each class of a section has a field for each of its keys."""
        for kind, keys in SECTIONS.items():
            self.assertLessEqual(set(keys), {field.name for field in fields(kind)}, kind)

    @given(st.data())
    @settings(max_examples=examples(200), deadline=None)
    def test_no_other_exception(self, data: st.DataObject) -> None:
        """Whatever a program puts there, it is told in sentences what is wrong with it."""
        anything = st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
            ),
            max_leaves=5,
        )
        names = data.draw(st.lists(st.sampled_from(sorted(API_KEYS)), min_size=1, max_size=3))
        api = evolve(API, **{name: data.draw(anything) for name in names})
        try:
            APIConfig({"a": api}, "a").validate()
        except ConfigError:
            pass
