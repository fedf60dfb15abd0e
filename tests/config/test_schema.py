"""Configuration files as a whole: what they mean, and what is said of those that are wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.config import APIConfig, ProxyConfig, load_api_config, schema
from llmproxy.config.document import MAX_FILE
from llmproxy.core.clientlimits import Limits
from llmproxy.errors import ConfigError
from llmproxy.message import Api
from llmproxy.origin import CredentialPlace, OwnKey
from llmproxy.providers.registry import AUTH

from ..properties import examples
from ..tables import row

EXAMPLE = Path(__file__).parents[2] / "config" / "apis.yaml"

REFERENCE = """
default_api: openai
apis:
  openai:
    base_url: https://api.openai.com
    allowed_endpoints:
      - /v1/chat/completions
      - /v1/models
    allowed_methods:
      - GET
      - POST
      - OPTIONS
    timeouts:
      request: 120s
      response_header: 30s
      idle_connection: 90s
      flush_interval: 10ms
    connection:
      max_idle_conns: 100
      max_idle_conns_per_host: 20
    param_whitelist:
      model:
        - gpt-4o
        - gpt-4o-*
    allowed_origins:
      - https://www.example.com
      - http://localhost:4000
    required_headers:
      - origin
  google:
    base_url: https://generativelanguage.googleapis.com
    allowed_endpoints:
      - /v1/models/gemini-pro:generateContent
    allowed_methods:
      - POST
    timeouts:
      request: 60s
"""

MINIMAL = """\
default_api: a
apis:
  a:
    base_url: http://a
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
"""


class ConfigFileTests(SynchronousTestCase):
    """What all of these need: a file, loaded."""

    def load(self, text: str | bytes, env: dict[str, str] | None = None, default_api: str | None = None) -> APIConfig:
        self.path = self.mktemp()
        Path(self.path).write_bytes(text.encode() if isinstance(text, str) else text)
        return load_api_config(self.path, env=env or {}, default_api=default_api)

    def problems(self, text: str | bytes, env: dict[str, str] | None = None) -> list[str]:
        """The sentences, without the name of the file."""
        error = self.assertRaises(ConfigError, self.load, text, env)
        for sentence in error.problems:
            self.assertTrue(sentence.startswith((f"{self.path}:", "...")), sentence)
        return [sentence.removeprefix(self.path).removeprefix(":").strip() for sentence in error.problems]

    def problems_of_api(self, *lines: str) -> list[str]:
        return self.problems(MINIMAL + "".join(f"    {line}\n" for line in lines))


class MeaningTests(ConfigFileTests):
    def test_a_file_of_the_reference(self) -> None:
        """Such a file loads unchanged, and every value arrives."""
        config = self.load(REFERENCE)
        self.assertEqual((config.default_api, list(config.apis)), ("openai", ["openai", "google"]))
        openai = config.apis["openai"]
        self.assertEqual(openai.base_url, "https://api.openai.com")
        self.assertEqual(openai.allowed_methods, ("GET", "POST", "OPTIONS"))
        self.assertEqual(openai.allowed_endpoints, ("/v1/chat/completions", "/v1/models"))
        self.assertEqual((openai.timeouts.request, openai.timeouts.response_header), (120.0, 30.0))
        self.assertEqual((openai.timeouts.idle_connection, openai.timeouts.flush_interval), (90.0, 0.01))
        self.assertEqual(openai.param_whitelist, {"model": ("gpt-4o", "gpt-4o-*")})
        self.assertEqual(openai.allowed_origins, ("https://www.example.com", "http://localhost:4000"))
        self.assertEqual(openai.required_headers, ("origin",))
        self.assertEqual(config.apis["google"].timeouts.request, 60.0)

    def test_the_example(self) -> None:
        """The file that comes with the proxy is right, and becomes APIs with their keys in the right places."""
        config = load_api_config(EXAMPLE, env={})
        compiled = {api.name: api for api in config.compiled()}
        self.assertEqual(list(compiled), ["openai", "anthropic", "gemini", "azure", "mistral", "groq", "local"])
        self.assertEqual(compiled["anthropic"].upstreams[0].credential, CredentialPlace("header", b"x-api-key", b""))
        self.assertEqual(compiled["groq"].upstreams[0].path_prefix, b"/openai")
        self.assertEqual(compiled["azure"].upstreams[0].origin.host, "my-resource.openai.azure.com")
        self.assertEqual(compiled["openai"].timeouts.silence, 600.0)
        self.assertIsNone(compiled["openai"].timeouts.request)

    def test_our_keys(self) -> None:
        """Every key that is ours reaches the compiled API."""
        config = self.load(
            MINIMAL
            + """\
    auth: {header: X-Key, prefix: "Token "}
    dialect: gemini
    debug_headers: true
    breaker: {threshold: 2, cooldown: 1m}
    cache: {scope: shared, post: opt_in, post_max_body: 1KiB, post_max_age: 1h, streams: true, default_ttl: 5s,
            heuristic: 0.2, heuristic_max: 2h, max_object: 1MiB, keep_stale: 10m}
    forwarded_fields: pass
    max_inspected_body: 1MiB
    timeouts: {connect: 1.5, silence: 0, response_header: 2s}
    connection:
      {max_idle_conns: 1, max_idle_conns_per_host: 2, max_conns_per_host: 3,
       verify: false, proxy_from_environment: false}
"""
        )
        (api,) = config.compiled()
        self.assertEqual(api.upstreams[0].credential, CredentialPlace("header", b"X-Key", b"Token "))
        self.assertEqual((api.dialect, api.debug_fields), ("gemini", True))
        self.assertEqual((api.timeouts.connect, api.timeouts.silence, api.timeouts.response_header), (1.5, None, 2.0))
        self.assertEqual(
            api.settings.cache,
            CacheSettings(True, "shared", "opt_in", 1024, 3600.0, True, 5.0, 0.2, 7200.0, 1024**2, 600.0),
        )
        assert api.settings.breaker is not None
        self.assertEqual((api.settings.breaker.threshold, api.settings.breaker.cooldown), (2, 60.0))
        self.assertEqual(api.settings.forwarded_fields, "pass")
        self.assertEqual(api.policy.max_inspected_body, 2**20)
        connection = api.settings.connection
        self.assertEqual((connection.max_idle, connection.max_idle_per_host), (1, 2))
        self.assertEqual((connection.max_connections_per_host, connection.verify), (3, False))
        self.assertEqual((connection.proxy_from_environment, connection.idle_timeout), (False, 4.0))

    def test_cache(self) -> None:
        """It is on; one word turns it off; what is not said is what holds for all."""

        def cache(*lines: str) -> CacheSettings | None:
            text = "\n".join([REFERENCE.partition("  google:")[0], *("    " + line for line in lines)])
            config = self.load(text).with_cache_defaults(CacheSettings(default_ttl=7.0, streams=True))
            return config.compiled()[0].settings.cache

        self.assertEqual(cache(), CacheSettings(default_ttl=7.0, streams=True))
        self.assertIsNone(cache("cache: false"))
        self.assertIsNone(cache("cache: {enabled: false, scope: shared}"))
        self.assertEqual(cache("cache: true"), CacheSettings(default_ttl=7.0, streams=True))
        self.assertEqual(cache("cache: {default_ttl: 0, post: off}"), CacheSettings(streams=True))

    def test_whitelists(self) -> None:
        """A whitelist may be bound to endpoints, and left out at some."""
        lines = ("param_whitelist: {model: a-*, /v1/images: {size: [1x1, 2x2]}}", "unchecked_endpoints: [/v1/uploads]")
        api = self.load("\n".join([REFERENCE.partition("    param_whitelist:")[0], *("    " + line for line in lines)]))
        found = next(iter(api.apis.values()))
        self.assertEqual(found.param_whitelist, {"model": ("a-*",), "/v1/images": {"size": ("1x1", "2x2")}})
        self.assertEqual(found.unchecked_endpoints, ("/v1/uploads",))

    def test_variables(self) -> None:
        """What differs between machines comes from the environment, with a default where one is given."""
        text = MINIMAL.replace("http://a", "${SCHEME:-http}://${HOST}/$$x")
        self.assertEqual(self.load(text, {"HOST": "h"}).apis["a"].base_url, "http://h/$x")
        self.assertEqual(self.load(text, {"HOST": "h", "SCHEME": "https"}).apis["a"].base_url, "https://h/$x")

    def test_merged_mappings(self) -> None:
        """What several APIs share is written once; what one says itself counts more."""
        config = self.load(
            MINIMAL
            + """\
    timeouts: &times {connect: 1s, request: 9s}
  b:
    base_url: http://b
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
    timeouts: {<<: *times, request: 5s}
"""
        )
        self.assertEqual((config.apis["b"].timeouts.connect, config.apis["b"].timeouts.request), (1.0, 5.0))

    def test_the_default_is_overridden(self) -> None:
        """DEFAULT_API_PROVIDER stands above the file; if it names nothing, that is an error and no other API."""
        self.assertEqual(self.load(REFERENCE, default_api="google").default_api, "google")
        error = self.assertRaises(ConfigError, self.load, REFERENCE, None, "gogle")
        self.assertIn("unknown API 'gogle', did you mean 'google'? (known: google, openai)", str(error))

    def test_routes(self) -> None:
        """The default API is at /, each also below its name."""
        table = self.load(REFERENCE).routing_table()
        found = [table.match(target) for target in (b"/v1/models", b"/openai/v1/models", b"/google/v1/models/x")]
        self.assertEqual([route.api.name for route in found if route], ["openai", "openai", "google"])


class KeyTests(ConfigFileTests):
    """A key of an API's own, and APIs without any."""

    API = "{base_url: http://a, allowed_endpoints: [/v1], allowed_methods: [GET], "

    def api(self, more: str) -> Api:
        text = f"default_api: x\napis:\n  x: {self.API}{more}}}\n"
        [api] = self.load(text, {"KEY": "sk-canary"}).compiled()
        self.assertNotIn("canary", repr(self.load(text, {"KEY": "sk-canary"})) + repr(api))
        return api

    def test_own_key(self) -> None:
        """Who may use it: all, those who are named, and nobody where nothing is said."""
        for more, expected in (
            ("key: '${KEY}', own_key_for: all", OwnKey("sk-canary", None)),
            ("key: '${KEY}', own_key_for: [search, all]", OwnKey("sk-canary", frozenset({"search", "all"}))),
            ("key: '${KEY}', own_key_for: []", None),
            ("key: '${KEY}'", None),
            ("auth: bearer", None),
        ):
            self.assertEqual(self.api(more).upstreams[0].own_key, expected, more)

    def test_no_key(self) -> None:
        """C{auth: none} is a server without keys."""
        self.assertEqual(self.api("auth: none").upstreams[0].credential.kind, "none")

    def test_wrong(self) -> None:
        """What cannot hold is refused, and no key is shown."""
        for more, words in (
            ("key: sk-canary", "expected ${VARIABLE} or file:/path"),
            ("key: '${NONE}'", "the environment variable NONE is not set"),
            ("key: '${KEY}', auth: none", "so that it would never be sent"),
            ("key: '${KEY}', own_key_for: search", "expected all, or a list of projects"),
            ("key: '${KEY}', own_key_for: ['']", "expected the name or the id of a project"),
            ("key: '${KEY}', own_key_for: ['*']", "write all in the place of the list"),
            ("key: '${KEY}', own_key_for: [search, ' * ']", "write all in the place of the list"),
            ("key: sk-canary, own_key_for: all", "expected ${VARIABLE} or file:/path"),
            ("key: '${NONE}', own_key_for: [search]", "the environment variable NONE is not set"),
            ("own_key_for: all", "there is no key that they could use"),
        ):
            found = self.problems(f"default_api: x\napis:\n  x: {self.API}{more}}}\n", {"KEY": "sk-canary"})
            self.assertEqual(len(found), 1, (more, found))
            self.assertIn(words, found[0])
            self.assertNotIn("canary", found[0])

    def test_http2(self) -> None:
        """It is off; where it cannot hold it is refused, with the line."""
        secure = MINIMAL.replace("http://", "https://") + "    connection: {http2: true}\n"
        (api,) = self.load(secure).compiled()
        self.assertTrue(api.settings.connection.http2)
        self.assertFalse(self.load(MINIMAL).compiled()[0].settings.connection.http2)
        [problem] = self.problems(MINIMAL + "    connection: {http2: true}\n")
        self.assertIn("http2: it is agreed upon within TLS", problem)
        self.patch(schema, "find_spec", lambda name: None)
        [problem] = self.problems(secure)
        self.assertIn("pip install 'txllmproxy[http2]'", problem)

    def test_of_python(self) -> None:
        """Those who make the configuration themselves are told the same."""
        values: dict[str, Any] = {"base_url": "http://a", "allowed_endpoints": ["/v1"], "allowed_methods": ["GET"]}
        good = ProxyConfig(**values, key="sk-canary", own_key_for=["search"])
        self.assertEqual(good.compiled().upstreams[0].own_key, OwnKey("sk-canary", frozenset({"search"})))
        for changes in (
            {"key": "two words canary", "own_key_for": "all"},
            {"key": "canary", "own_key_for": "search"},
            {"own_key_for": ["search"]},
            {"key": "canary", "auth": AUTH["none"]},
        ):
            with row(changes):
                error = self.assertRaises(ConfigError, ProxyConfig(**values, **changes).validate)
            self.assertEqual(len(error.problems), 1, error)
            self.assertNotIn("canary", str(error))


class WrongTests(ConfigFileTests):
    def test_everything_at_once(self) -> None:
        """Who corrects a file corrects it once: each problem with line, column, path, what was expected and known."""
        found = self.problems(
            """\
default_api: opena
apis:
  openai:
    base_url: https://api.openai.com
    allowed_endpoints: [v1]
    allowed_methods: [POST]
    timeouts:
      request: soon
      reqeust: 10s
    debug_headers: maybe
  admin:
    base_url: http://b
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
"""
        )
        self.assertEqual(
            found,
            [
                "1:14: default_api: default API 'opena' not found in configured APIs (openai, admin)",
                "5:25: apis.openai.allowed_endpoints[0]: "
                "expected a path such as /v1/models without query and spaces, got 'v1'",
                "8:16: apis.openai.timeouts.request: expected a duration such as 30s, got 'soon'",
                "9:16: apis.openai.timeouts.reqeust: unknown key 'reqeust', did you mean 'request'? "
                "(known: connect, expect_continue, flush_interval, idle_connection, request, response_header, silence)",
                "10:20: apis.openai.debug_headers: expected true or false, got 'maybe'",
                "12:5: apis.admin: the name 'admin' is taken by the proxy itself (reserved: admin, manage)",
            ],
        )

    def test_what_the_reference_demands(self) -> None:
        """The reference's own sentences are kept."""
        self.assertEqual(self.problems("default_api: a\napis: {}\n"), ["2:7: apis: no API providers configured"])
        self.assertEqual(self.problems("default_api: a\n"), ["1:1: no API providers configured"])

    def test_trusted_proxies(self) -> None:
        """Proxies in front of us are addresses and networks, and the field is one of two."""
        self.assertIsNone(self.load(REFERENCE).trusted())
        config = self.load(REFERENCE + "trusted_proxies: [10.0.0.0/8, unix]\nforwarded_header: Forwarded\n")
        trusted = config.trusted()
        assert trusted is not None
        self.assertEqual((trusted.unix, trusted.field, len(trusted.networks)), (True, b"forwarded", 1))
        problems = self.problems(REFERENCE + "trusted_proxies: [proxy.local]\nforwarded_header: x-real-ip\n")
        self.assertEqual(len(problems), 2)

    def test_limits(self) -> None:
        """What a port grants a client is configured for all APIs; 0 connections are no limit, as in the reference."""
        limits = self.load(
            REFERENCE + "limits: {head: 32KiB, idle: 2m, connections: 0, connections_per_client: 8}\n"
        ).limits
        self.assertEqual((limits.head, limits.idle, limits.connections), (32768, 120.0, None))
        self.assertEqual((limits.connections_per_client, limits.target), (8, 8192))
        self.assertEqual(self.load(REFERENCE).limits, Limits())
        problems = self.problems(REFERENCE + "limits: {heat: 1, idle: 0, target: 3}\n")
        self.assertEqual(len(problems), 3, problems)
        found = self.problems("default_api: a\napis:\n  a: {base_url: '', allowed_endpoints: [], allowed_methods: }\n")
        self.assertEqual(
            found,
            [
                "3:6: apis.a: API 'a' has empty base_url",
                "3:6: apis.a: API 'a' has no allowed_endpoints",
                "3:6: apis.a: API 'a' has no allowed_methods",
            ],
        )
        found = self.problems(MINIMAL.replace("default_api: a\n", ""))
        self.assertEqual(found, ["1:1: default API '' not found in configured APIs (a)"])

    def test_wrong_types(self) -> None:
        """A list where a text should be, and so on, is told as such."""
        table = {
            "timeouts: 30s": "apis.a.timeouts: expected a mapping of keys to values, got '30s'",
            "timeouts: {connect: [1]}": "apis.a.timeouts.connect: expected a duration such as 30s, got a list",
            "connection: {http2: [h2]}": "apis.a.connection.http2: expected true or false, got a list",
            "connection: {http2: {on: 1}}": "apis.a.connection.http2: expected true or false, got a mapping",
            "allowed_origins: https://a": "apis.a.allowed_origins: expected a list, got 'https://a'",
            "param_whitelist: [model]": "apis.a.param_whitelist: expected a mapping of keys to values, got a list",
            "param_whitelist: {model: []}": "expected at least one pattern",
            "param_whitelist: {/v1/x: []}": "apis.a.param_whitelist./v1/x: expected parameters with their patterns",
            "param_whitelist: {/v1/x: {}}": "unchecked_endpoints names where nothing is checked",
            "param_whitelist: {/v1/x: {n: []}}": "apis.a.param_whitelist./v1/x.n: expected at least one pattern",
            "param_whitelist: {'/v1/ x': {n: a}}": "expected a path such as /v1/models",
            "unchecked_endpoints: [v1]": "expected a path such as /v1/models",
            "cache: 7": "expected true or false, got '7'",
            "cache: {scope: all}": "expected one of project, shared, got 'all'",
            "cache: {post: true}": "expected one of off, opt_in, got 'true'",
            "cache: {heuristic: 2}": "expected a number from 0 to 1, got '2'",
            "cache: {heuristic: nan}": "expected a number from 0 to 1, got 'nan'",
            "cache: {default_ttl: soon}": "expected a duration such as 30s, got 'soon'",
            "cache: {max_objekt: 1}": "unknown key 'max_objekt'",
            "breaker: {threshold: 0}": "expected a whole number from 1, got '0'",
            "breaker: {statuses: [200]}": "expected a status from 400 to 599, got '200'",
            "breaker: {statuses: 503}": "expected a list",
            "breaker: maybe": "expected true or false, got 'maybe'",
            "meter: {include_usage: maybe}": "expected one of keep, inject, got 'maybe'",
            "meter: {include_usage: inject, enabled: off}": "meter: it is off",
            "attribution: maybe": "expected true or false, got 'maybe'",
            "attribution: {tags: team}": "expected a list",
            "attribution: {tags: [Team]}": "expected the name of a tag, in lower case, such as team, got 'Team'",
            "attribution: {hash: [program]}": "expected one of user, session, tags, metadata, got 'program'",
            "attribution: {programs: [mine/2]}": "expected a product as User-Agent names it, without its version",
            "attribution: {project_tags: {a: [b]}}": "project_tags are beside tags",
            "meter: maybe": "expected true or false, got 'maybe'",
            "meter: {enable: on}": "unknown key 'enable'",
            "breaker: {cooldown: 0}": "expected a duration above nothing",
            "connection: {max_idle_conns: -1}": "expected a whole number from 0, got '-1'",
            "connection: {ca_file: /nowhere.pem}": "expected a file, there is none at '/nowhere.pem'",
            "auth: token": "expected one of bearer, x-api-key, api-key, x-goog-api-key",
            "auth: {header: a, query: b}": "expected either header or query",
            "max_inspected_body: lots": "expected a size such as 10MB or 1MiB, got 'lots'",
            "? [a, b]\n    : c": "expected a text as key, got a list",
        }
        for line, sentence in table.items():
            found = self.problems_of_api(line)
            self.assertEqual(len(found), 1, (line, found))
            self.assertIn(sentence, found[0], line)

    def test_keys_that_stand_twice(self) -> None:
        """The second of two equal keys would win in silence; it is an error, with its place."""
        self.assertEqual(
            self.problems_of_api("dialect: openai", "dialect: gemini"),
            ["8:5: apis.a.dialect: this key stands here a second time"],
        )

    def test_names_in_each_others_way(self) -> None:
        """An API that hides a path of the default one, or looks like another, is refused."""
        other = "  {}:\n    base_url: http://b\n    allowed_endpoints: [/x]\n    allowed_methods: [POST]\n"
        self.assertIn("/v1/ is an endpoint of the default API", self.problems(MINIMAL + other.format("v1"))[0])
        self.assertIn("differ only in case", self.problems(MINIMAL + other.format("A"))[0])

    def test_variables_that_are_not_set(self) -> None:
        """A missing variable is told; it does not become an empty text."""
        text = MINIMAL.replace("http://a", "http://${HOST}")
        for env in ({}, {"HOST": ""}):
            (found,) = self.problems(text, env)
            self.assertTrue(found.startswith("4:15: apis.a.base_url: the environment variable HOST is not set"), found)
        self.assertIn("expected ${NAME}", self.problems(MINIMAL.replace("http://a", "http://${1}"))[0])
        self.assertIn("expected ${NAME}", self.problems(MINIMAL.replace("http://a", "http://${A"))[0])

    def test_not_yaml(self) -> None:
        """A syntax error has its line."""
        (found,) = self.problems("apis:\n  a: [1,\n  b: }\n")
        self.assertRegex(found, r"^3:\d+: is not valid YAML: ")
        self.assertEqual(self.problems("# nothing\n"), ["is empty"])
        self.assertEqual(
            self.problems("[]\n"),
            ["1:1: expected a mapping of keys to values, got a list", "1:1: no API providers configured"],
        )
        self.assertIn("is not valid YAML", self.problems("a: 1\n---\nb: 2\n")[0])

    def test_not_text(self) -> None:
        """A file of another encoding is told with the place of the first byte that is none of UTF-8."""
        self.assertEqual(self.problems(b"a: 1\nb: \xff\n"), ["2:4: is not UTF-8"])
        self.assertIn("is larger than", self.problems(b"#" * (MAX_FILE + 1))[0])

    def test_tags_are_refused(self) -> None:
        """No tag makes an object."""
        (found,) = self.problems_of_api("dialect: !!python/object/apply:os.system [x]")
        self.assertIn("the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed here", found)

    def test_aliases_are_bounded(self) -> None:
        """A few lines that stand for billions of values are refused at once."""
        levels = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 10))
        self.problems("x0: &x0 [lol]\n" + levels)
        many = ", ".join(["/v1"] * 1000)
        apis = "".join(f"  a{n}: *one\n" for n in range(100))
        text = MINIMAL.replace("  a:\n", "  a: &one\n").replace("[/v1]", f"[{many}]")
        self.assertEqual(self.problems(text + apis), ["its aliases repeat too many values"])
        self.problems("apis: &a\n  a: *a\n  <<: *a\n")
        self.problems("a: " + "[" * 5000)

    def test_many_problems(self) -> None:
        """A file of another kind does not fill the terminal."""
        found = self.problems_of_api(*(f"key{n}: 1" for n in range(80)))
        self.assertEqual((len(found), found[-1]), (51, "... and 30 more problems"))

    def test_unreadable(self) -> None:
        """A missing file, or a directory, is one line; it never starts a proxy without rules."""
        for path, reason in (("/nowhere/apis.yaml", "No such file"), (os.curdir, "Is a directory")):
            with row(path):
                error = self.assertRaises(ConfigError, load_api_config, path)
            self.assertIn(f"{path}: cannot be read: {reason}", str(error))

    @given(st.text(alphabet="ab: \n-[]{}&*!'\"#|>%@`$,?<", max_size=60))
    @settings(max_examples=examples(50), deadline=None)
    def test_no_other_exception(self, text: str) -> None:
        """Whatever a file holds, the operator gets sentences."""
        try:
            self.load(text)
        except ConfigError as error:
            self.assertTrue(error.problems)
