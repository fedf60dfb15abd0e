"""Tests for L{llmproxy.config.compile}."""

from __future__ import annotations

from attrs import evolve, fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import BreakerSettings, ConnectionSettings
from llmproxy.config.apis import APIConfig
from llmproxy.config.compile import compile_api, compile_routing, reserved_names
from llmproxy.config.model import APIProviderConfig, BreakerConfig, ConnectionConfig, MeterConfig, TimeoutConfig
from llmproxy.origin import CredentialPlace, Origin, Timeouts
from llmproxy.providers.registry import AUTH

CONFIG = APIProviderConfig(
    base_url="https://a.example:8443/base/",
    allowed_endpoints=["/v1/models"],
    allowed_methods=["post", "GET"],
    timeouts=TimeoutConfig(request=60.0, response_header=5.0, idle_connection=7.0, connect=1.0, silence=2.0),
    connection=ConnectionConfig(max_conns_per_host=3, verify=False),
    param_whitelist={"model": ("a-*",)},
    breaker=BreakerConfig(2, 4.0),
)


class CompileTests(SynchronousTestCase):
    def test_where(self) -> None:
        """The address is taken apart once, not for each request."""
        api = compile_api("x", CONFIG)
        self.assertEqual(api.upstreams[0].origin, Origin("https", "a.example", 8443, b"a.example:8443"))
        self.assertEqual((api.name, api.upstreams[0].path_prefix), ("x", b"/base"))

    def test_times(self) -> None:
        """Each deadline comes from the key of its name; the idle time of connections is the pool's."""
        api = compile_api("x", CONFIG)
        self.assertEqual(api.timeouts, Timeouts(connect=1.0, response_header=5.0, silence=2.0, request=60.0))
        connection = api.settings.connection
        self.assertEqual((connection.idle_timeout, connection.connect_timeout), (7.0, 1.0))
        self.assertEqual((connection.max_connections_per_host, connection.verify), (3, False))

    def test_rules(self) -> None:
        """What is allowed is compiled: methods in upper case, HEAD wherever GET is, patterns ready to match."""
        api = compile_api("x", CONFIG)
        self.assertEqual(set(api.policy.methods), {b"POST", b"GET", b"HEAD"})
        rules = api.policy.whitelist.at(b"/v1/models")
        assert rules is not None
        self.assertEqual(rules.parameters["model"].patterns, ("a-*",))
        breaker = api.settings.breaker
        assert breaker is not None
        self.assertEqual((breaker.threshold, breaker.cooldown), (2, 4.0))

    def test_breaker(self) -> None:
        """It can be switched off, and the statuses that count can be named."""
        for config, expected in (
            (BreakerConfig(), BreakerSettings(5, 30.0, None)),
            (BreakerConfig(statuses=[502, 503, 504]), BreakerSettings(5, 30.0, frozenset({502, 503, 504}))),
            (BreakerConfig(statuses=[]), BreakerSettings(5, 30.0, frozenset())),
            (BreakerConfig(enabled=False), None),
        ):
            self.assertEqual(compile_api("x", evolve(CONFIG, breaker=config)).settings.breaker, expected, config)

    def test_meter(self) -> None:
        """Answers are read where the vendor is known: by the address, the name or the dialect; or where it is said."""
        for name, changes, metered in (
            ("x", {}, False),
            ("x", {"meter": MeterConfig(enabled=True)}, True),
            ("x", {"dialect": "anthropic"}, True),
            ("x", {"base_url": "https://api.openai.com"}, True),
            ("vllm", {}, True),
            ("vllm", {"meter": MeterConfig(enabled=False)}, False),
            # Who asks for something wants it.
            ("x", {"meter": MeterConfig(include_usage="inject")}, True),
            ("x", {"meter": MeterConfig(usage_trailer=True)}, True),
            ("x", {"meter": MeterConfig(estimate=True)}, True),
        ):
            settings = compile_api(name, evolve(CONFIG, **changes)).settings  # type: ignore[arg-type]
            self.assertEqual(settings.meter is not None, metered, (name, changes))

    def test_routing(self) -> None:
        """The default API answers at the root, every API below its name."""
        other = evolve(CONFIG, base_url="http://b")
        table = compile_routing(APIConfig({"x": CONFIG, "y": other}, "x"))
        found = [table.match(target) for target in (b"/v1/models?a", b"/x/v1/models", b"/y/v1/models")]
        self.assertEqual([route and route.api.name for route in found], ["x", "x", "y"])
        self.assertEqual([route and route.target for route in found], [b"/v1/models?a", b"/v1/models", b"/v1/models"])

    def test_query_keys(self) -> None:
        """C{key} of a query is a credential only where the provider, or what speaks as it does, takes one there."""
        for name, changes, expected in (
            ("x", {}, set()),
            ("x", {"auth": AUTH["x-api-key"]}, set()),
            ("gemini", {}, {b"key"}),
            ("x", {"base_url": "https://generativelanguage.googleapis.com"}, {b"key"}),
            ("x", {"dialect": "gemini"}, {b"key"}),
            ("x", {"auth": AUTH["x-goog-api-key"]}, {b"key"}),
            ("x", {"auth": CredentialPlace("query", b"Api_Key", b"")}, {b"key", b"api_key"}),
            ("x", {"base_url": "https://mine.openai.azure.com"}, {b"api-key"}),
        ):
            self.assertEqual(compile_api(name, evolve(CONFIG, **changes)).query_keys, expected, changes)

    def test_reserved(self) -> None:
        """No API can take a path away from management."""
        self.assertEqual(reserved_names(), {"manage", "admin"})


class ConnectionTests(SynchronousTestCase):
    def compiled(self, connection: ConnectionConfig, **timeouts: float | None) -> ConnectionSettings:
        config = evolve(CONFIG, connection=connection, timeouts=TimeoutConfig(**timeouts))
        return compile_api("x", config).settings.connection

    def test_nothing_said(self) -> None:
        """What the configuration does not say has the reference's limits, and certificates are checked."""
        settings = self.compiled(ConnectionConfig(), connect=7.0)
        self.assertEqual(settings, ConnectionSettings(connect_timeout=7.0))
        self.assertTrue(settings.verify)

    def test_everything_said(self) -> None:
        """Every key that the configuration has for connections has its effect here."""
        said = ConnectionConfig(
            max_idle_conns=1,
            max_idle_conns_per_host=2,
            max_conns_per_host=3,
            ca_file="ca",
            client_cert="cert",
            client_key="key",
            verify=False,
            proxy_from_environment=False,
            max_lifetime=5.0,
            http2=True,
        )
        settings = self.compiled(said, idle_connection=4.0, expect_continue=6.0, connect=None)
        taken = (settings.max_idle, settings.max_idle_per_host, settings.max_connections_per_host)
        self.assertEqual((*taken, settings.idle_timeout, settings.connect_timeout), (1, 2, 3, 4.0, None))
        self.assertEqual((settings.ca_file, settings.client_cert, settings.client_key), ("ca", "cert", "key"))
        self.assertEqual((settings.verify, settings.proxy_from_environment, settings.http2), (False, False, True))
        self.assertEqual((settings.max_lifetime, settings.expect_continue), (5.0, 6.0))
        self.assertEqual(len(fields(ConnectionConfig)), 10)

    def test_kept_without_limit(self) -> None:
        """No limit for idle connections is a day: nobody notices, and nothing is kept for ever."""
        self.assertEqual(self.compiled(ConnectionConfig(), idle_connection=None).idle_timeout, 86_400.0)
