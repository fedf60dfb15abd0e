"""Files with several upstreams of an API: what they mean, and what is said of those that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import evolve

from llmproxy.apisettings import BalanceSettings, CacheSettings, RetrySettings
from llmproxy.config import APIConfig, ProxyConfig
from llmproxy.errors import ConfigError
from llmproxy.message import Api
from llmproxy.origin import OwnKey
from tests.tables import row

from .test_schema import ConfigFileTests

ISSUE = """
default_api: openai
apis:
  openai:
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
    dialect: openai
    upstreams:
      - {name: main, base_url: https://api.openai.com, weight: 3}
      - {name: azure, base_url: https://x.openai.azure.com, priority: 2, auth: api-key, project_key: azure,
         api_version: 2024-10-21}
    balance: peak_ewma
    retry: {attempts: 2, statuses: [429, 500, 502, 503, 504, 529], budget: 0.2, replay: 4MiB}
    fallback: [openrouter]
  openrouter:
    base_url: https://openrouter.ai/api
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
    dialect: openai
"""

ONE = """
default_api: a
apis:
  a:
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
    {api}
  b: {{base_url: 'http://b', allowed_endpoints: [/v1], allowed_methods: [POST], dialect: anthropic}}
"""

TWO = "upstreams: [{{name: x, base_url: 'https://x'{}}}, {{name: y, base_url: 'https://y'}}]"


class RightTests(ConfigFileTests):
    def api(self, text: str) -> Api:
        return self.load(ONE.format(api=text), {"KEY": "sk-canary"}).compiled()[0]

    def test_issue(self) -> None:
        """What users paste."""
        api, other = self.load(ISSUE).compiled()
        main, azure = api.upstreams
        self.assertEqual((main.name, main.weight, main.priority, main.provider), ("main", 3, 1, "openai"))
        self.assertEqual((azure.name, azure.priority, azure.project_key), ("azure", 2, "azure"))
        self.assertEqual((azure.api_version, azure.key_field), (b"2024-10-21", b"api-key"))
        self.assertEqual(api.settings.balance, BalanceSettings("peak_ewma"))
        statuses = frozenset({429, 500, 502, 503, 504, 529})
        self.assertEqual(api.settings.retry, RetrySettings(2, statuses, 0.2, 4 * 2**20))
        self.assertEqual((api.settings.fallback, api.is_balanced), (("openrouter",), True))
        self.assertEqual(
            (other.settings.retry, other.is_balanced, other.upstreams[0].name), (None, False, "openrouter")
        )

    def test_space(self) -> None:
        """What a fallback answers is stored apart from what is stored without one."""
        with_fallback = self.load(ISSUE).compiled()[0].space
        without = self.load(ISSUE.replace("    fallback: [openrouter]\n", "")).compiled()[0].space
        self.assertNotEqual(with_fallback, without)

    def test_everything(self) -> None:
        """Every key of an upstream, with what the API says where the upstream says nothing."""
        more = (
            ", key: '${KEY}', credential: own, headers: {OpenAI-Organization: o, X-B: '2'}, region: eu,"
            " models: [gpt-4o*], host: 'h:8443', sni: s.example, provider: azure"
        )
        api = self.api(f"own_key_for: all\n    headers: {{x-b: '1', X-C: '3'}}\n    {TWO.format(more)}")
        x, y = api.upstreams
        self.assertEqual((x.own_key, x.key_source, y.own_key), (OwnKey("sk-canary", None), "own", None))
        self.assertEqual(x.headers, ((b"X-C", b"3"), (b"OpenAI-Organization", b"o"), (b"X-B", b"2")))
        self.assertEqual(y.headers, ((b"x-b", b"1"), (b"X-C", b"3")))
        self.assertEqual((x.region, x.serves, x.host, x.server_name), ("eu", ("gpt-4o*",), b"h:8443", "s.example"))
        self.assertEqual((x.provider, y.provider), ("azure", ""))

    def test_aliases(self) -> None:
        """One name for another, in either notation."""
        for said in ("{fast: gpt-4o-mini}", "{from: fast, to: gpt-4o-mini}", "{to: gpt-4o-mini, from: fast}"):
            with row(self, said):
                upstream, _ = self.api(TWO.format(f", models: [gpt-4o*, {said}]")).upstreams
                self.assertEqual(
                    (upstream.serves, dict(upstream.models)), (("gpt-4o*", "fast"), {"fast": "gpt-4o-mini"})
                )

    def test_uncached(self) -> None:
        """What is cached elsewhere by default is not for APIs that are asked with clients' credentials."""
        text = ONE.format(api=TWO.format(", credential: client"))
        config = self.load(text).with_cache_defaults(CacheSettings(enabled=True))
        config.validate()
        self.assertEqual([api.settings.cache is not None for api in config.compiled()], [False, True])

    def test_words(self) -> None:
        """Short forms."""
        for text, name, expected in (
            ("retry: true", "retry", RetrySettings()),
            ("retry: false", "retry", None),
            ("retry: {}", "retry", RetrySettings()),
            ("balance: least_in_flight", "balance", BalanceSettings("least_in_flight")),
            ("sticky: 'header: X-User'", "balance", BalanceSettings(sticky="header:x-user")),
            (
                "balance: {keys: round_robin, slow_start: 30s, panic_threshold: 0.5}",
                "balance",
                BalanceSettings("weighted", "round_robin", "", 30.0, 0.5),
            ),
        ):
            with row(text):
                self.assertEqual(getattr(self.api(f"{text}\n    {TWO.format('')}").settings, name), expected)


class WrongTests(ConfigFileTests):
    def said(self, text: str) -> list[str]:
        try:
            self.load(ONE.format(api=text), {"KEY": "sk-canary", "ENV": "sk-ant-api03-canary-000000000000"})
        except ConfigError as error:
            return [problem.partition(": ")[2] for problem in error.problems]
        return []

    def test_wrong(self) -> None:
        """Each with a sentence that says where, and what to write instead."""
        table = (
            ("upstreams: []", "expected at least one upstream"),
            ("upstreams: [{base_url: 'http://x'}]", "upstreams[0]: expected a name"),
            ("upstreams: [{name: x}]", "upstreams[0]: expected a base_url"),
            ("upstreams: [{name: x, base_url: 'ftp://x'}]", "upstreams[0].base_url: expected a URL"),
            (f"base_url: 'http://z'\n    {TWO.format('')}", "the places of the API stand in upstreams"),
            (TWO.format("").replace("name: y", "name: X"), "is called 'X' already"),
            (TWO.format(", key: sk-canary"), "upstreams[0].key: expected ${VARIABLE} or file:/path"),
            (TWO.format(", key: '${KEY}', auth: none"), "the upstream takes none"),
            (TWO.format(", weight: 0"), "upstreams[0].weight: expected a whole number from 1"),
            (TWO.format(", priority: 0"), "upstreams[0].priority: expected a whole number from 1"),
            (TWO.format(", health: {{}}"), "upstreams[0]: health: expected a path"),
            (TWO.format(", health: {{path: health}}"), "upstreams[0].health.path: expected a path such as /health"),
            (TWO.format(", health: {{path: /, interval: 0}}"), "upstreams[0].health.interval: expected"),
            (TWO.format(", health: {{path: /, statuses: [99]}}"), "expected a status from 200 to 599"),
            (
                "upstreams: [{name: x, base_url: 'http://x', health: {path: /, healthy: 1} }]",
                "there is no other upstream",
            ),
            (TWO.format(", credential: own"), "credential: own needs a key, and own_key_for"),
            (TWO.format(", credential: theirs"), "expected one of project, own, client"),
            (TWO.format(", credential: client, auth: none"), "credential: client needs a place for it"),
            (
                TWO.format(", credential: client, key: '${KEY}'") + "\n    own_key_for: all",
                "key: it would never be used",
            ),
            (TWO.format(", credential: client, project_key: z"), "project_key: it would never be used"),
            (TWO.format(", credential: client").replace("y'", "y', credential: client"), "for 'x' in the same place"),
            (
                TWO.format(", credential: client") + "\n    cache: {{enabled: true}}",
                "answers to credentials of clients",
            ),
            (TWO.format(", api_version: 'a b'"), "expected a version such as"),
            (TWO.format(", host: 'a/b'"), "expected a host"),
            (TWO.format(", host: 'u:p@b'"), "expected a host"),
            (TWO.format(", sni: 192.0.2.1"), "expected the name of a host"),
            (TWO.format(", provider: nobody"), "upstreams[0].provider: expected one of"),
            (TWO.format(", models: gpt"), "upstreams[0].models: expected a list"),
            (TWO.format(", models: [{{'a*': b}}]"), "expected the name of a model"),
            (TWO.format(", wait: 3"), "upstreams[0].wait: unknown key 'wait'"),
            (TWO.format("") + "\n    own_key_for: all", "there is no key that they could use"),
            (TWO.format("") + "\n    fallback: [b]", "nothing is asked a second time without retry"),
            (TWO.format("") + "\n    retry: true\n    fallback: [c]", "unknown API 'c'"),
            (TWO.format("") + "\n    retry: true\n    fallback: [a]", "is the API itself"),
            (TWO.format("") + "\n    retry: true\n    fallback: [b]", "b speaks anthropic and a speaks proxy"),
            (TWO.format("") + "\n    retry: {{attempts: 0}}", "expected a whole number from 1"),
            (TWO.format("") + "\n    retry: {{attempts: 21}}", "expected a whole number from 1 to 20"),
            (TWO.format("") + "\n    retry: {{budget: 2}}", "expected a number from 0 to 1"),
            (TWO.format("") + "\n    sticky: user", "expected project, token or header:NAME"),
            (TWO.format(", region: eu") + "\n    cache: {{scope: shared}}", "its upstreams differ in region"),
            (TWO.format(", models: [a]") + "\n    cache: {{scope: shared}}", "its upstreams differ in models"),
        )
        for text, sentence in table:
            with row(text):
                found = self.said(text.replace("{{", "{").replace("}}", "}"))
                self.assertEqual(len(found), 2 if "without retry" in sentence else 1, found)
                self.assertIn(sentence, found[0])
                self.assertNotIn("canary", str(found))

    def test_shared_with_fallback(self) -> None:
        """An answer of another API is not everybody's."""
        text = ISSUE.replace("    fallback: [openrouter]", "    fallback: [openrouter]\n    cache: {scope: shared}")
        error = self.assertRaises(ConfigError, self.load, text)
        self.assertIn("it has a fallback", str(error))

    def test_headers(self) -> None:
        """Neither credentials nor what decides about framing and routing; of an API, and of an upstream."""
        for name, value in (
            ("Authorization", "x"),
            ("authorization", "x"),
            ("X-Api-Key", "x"),
            ("api_key", "x"),
            ("Ocp-Apim-Subscription-Key", "x"),
            ("X-LLMProxy-Token", "x"),
            ("Proxy-Authorization", "x"),
            ("Cookie", "x"),
            ("Host", "x"),
            ("Content-Length", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Upgrade", "x"),
            ("Expect", "x"),
            ("TE", "x"),
            ("X-HTTP-Method-Override", "GET"),
            ("X-Forwarded-For", "x"),
            ("Via", "x"),
            ("X B", "x"),
            ("X-B", "'a\\nb'"),
            ("X-B", "''"),
            ("X-B", "é"),
            ("X-B", "'${ENV}'"),
        ):
            quoted = value.replace("'a\\nb'", '"a\\nb"')
            with row(name, value):
                for text in (
                    f"headers: {{{name}: {quoted}}}\n    {TWO.format('')}",
                    TWO.format(f", headers: {{{name}: {quoted}}}"),
                ):
                    found = self.said(text)
                    self.assertEqual(len(found), 1, found)
                    self.assertIn("headers", found[0])
                    self.assertNotIn("canary", found[0])

    def test_programs(self) -> None:
        """Programs are refused by the same sentences."""
        config = self.load(ISSUE)
        config.validate()
        api = config.proxy_config("openai")
        again = evolve(api, upstreams=(api.upstreams[0], api.upstreams[0]))
        self.assertIn("already", str(self.assertRaises(ConfigError, again.validate)))
        other = APIConfig({"a": evolve(config.apis["openai"], fallback=("b",))}, "a")
        self.assertIn("unknown API 'b'", str(self.assertRaises(ConfigError, other.validate)))
        self.assertIsInstance(api, ProxyConfig)


class DocumentTests(ConfigFileTests):
    PAGE = Path(__file__).parents[2] / "docs" / "upstreams.md"
    REST = "    allowed_endpoints: [/v1]\n    allowed_methods: [POST]\n"
    OTHER = f"  openrouter:\n    base_url: https://openrouter.ai/api\n    dialect: openai\n{REST}"
    ENV = dict.fromkeys(("OPENAI_KEY_1", "OPENAI_KEY_2", "AZURE_WEST", "AZURE_NORTH"), "key")

    def test_recipes(self) -> None:
        """What the document shows can be pasted."""
        blocks = re.findall(r"```yaml\n(.*?)```", self.PAGE.read_text(), re.DOTALL)
        parts = [block for block in blocks if block.startswith("    ")]
        self.assertEqual((len(blocks), len(parts)), (6, 1))
        for part in parts:
            with row(part):
                text = f"default_api: a\napis:\n  a:\n    base_url: https://api.openai.com\n{self.REST}{part}"
                self.load(text, self.ENV).compiled()
        for block in [block for block in blocks if block not in parts]:
            name = re.findall(r"^  (\w+):", block, re.MULTILINE)[0]
            text = block
            if "apis:" not in block:
                rest = re.sub(r"(  \w+:\n)", rf"\1{self.REST}", block, count=1)
                rest = block if "allowed_endpoints:" in block else rest
                text = f"default_api: {name}\napis:\n{rest}{self.OTHER}"
            with row(name, block):
                config = self.load(text, self.ENV)
                upstreams = config.compiled()[0].upstreams
                self.assertEqual(len(upstreams), 1 if upstreams[0].key_source == "client" else 2)
