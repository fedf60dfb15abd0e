"""Tests for L{llmproxy.config.apis}: configurations that are made by a program instead of a file."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, APIProviderConfig, ProxyConfig
from llmproxy.config.model import APIValues
from llmproxy.core.clientlimits import Limits
from llmproxy.errors import ConfigError

from ..tables import row

GOOD = APIProviderConfig(base_url="https://a.example/v1", allowed_endpoints=["/x"], allowed_methods=["POST"])


class ProxyConfigTests(SynchronousTestCase):
    def test_valid(self) -> None:
        """A whole configuration passes, and compiles to the API of its name."""
        config = ProxyConfig(base_url="http://a", allowed_endpoints=["/x"], allowed_methods=["post"], api_name="mine")
        config.validate()
        api = config.compiled()
        self.assertEqual((api.name, api.upstreams[0].origin.host, api.policy.methods), ("mine", "a", (b"POST",)))

    def test_everything_wrong_at_once(self) -> None:
        """One exception tells all of it."""
        config = ProxyConfig(base_url="a", allowed_endpoints=["x"], dialect="klingon")  # type: ignore[arg-type]
        problems = self.assertRaises(ConfigError, config.validate).problems
        self.assertEqual(len(problems), 4)
        self.assertIn("API 'default' has no allowed_methods", problems)
        self.assertRaises(ConfigError, config.compiled)

    def test_trace(self) -> None:
        """Methods that would show the project's key cannot be allowed, in a program as in a file."""
        for method in ("TRACE", "trace", "CONNECT"):
            config = ProxyConfig(base_url="http://a", allowed_endpoints=["/x"], allowed_methods=["GET", method])
            with row(method):
                problems = self.assertRaises(ConfigError, config.validate).problems
            self.assertIn("cannot be allowed", problems[0])

    def test_whitelist(self) -> None:
        """What a file would be refused for is refused in a program too."""
        for patterns, sentence in (
            ({"model": "gpt-4o"}, "model: expected a list"),
            ({"model": []}, "model: expected at least one pattern"),
            ({"model": [""]}, "model[0]: expected a pattern"),
            ({"/v1/x": ["a"]}, "/v1/x: expected parameters with their patterns"),
            ({"/v1/x": {}}, "/v1/x: expected parameters with their patterns"),
            ({"/v1/x": {"n": []}}, "/v1/x.n: expected at least one pattern"),
            ({"/v1 x": {"n": ["a"]}}, "expected a path"),
        ):
            config = ProxyConfig("http://a", ["/x"], ["GET"], param_whitelist=patterns)  # type: ignore[arg-type]
            with row(patterns):
                problems = self.assertRaises(ConfigError, config.validate).problems
            self.assertTrue(any(sentence in problem for problem in problems), (patterns, problems))
        ProxyConfig("http://a", ["/x"], ["GET"], param_whitelist={"n": ["a"], "/x": {"n": ("b",)}}).validate()


class APIConfigTests(SynchronousTestCase):
    def test_of_values(self) -> None:
        """What was read of a file is kept, all of it."""
        values = ({"a": GOOD}, "a", Limits(body=2048), ("127.0.0.1",), "forwarded")
        self.assertEqual(APIConfig.of(APIValues(*values)), APIConfig(*values))

    def test_proxy_config(self) -> None:
        """One of several APIs can be had by itself, with all that was said of it."""
        one = APIConfig({"a": GOOD}, "a").proxy_config("a")
        self.assertEqual((one.api_name, one.base_url, one.allowed_endpoints), ("a", GOOD.base_url, ("/x",)))
        error = self.assertRaises(ConfigError, APIConfig({"a": GOOD}, "a").proxy_config, "b")
        self.assertIn("unknown API 'b'", str(error))

    def test_validate(self) -> None:
        """What a file would be refused for is refused here too."""
        APIConfig({"a": GOOD}, "a").validate()
        for config in (APIConfig({}, "a"), APIConfig({"a": GOOD}, "b"), APIConfig({"manage": GOOD}, "manage")):
            with row(config):
                self.assertRaises(ConfigError, config.validate)
        error = self.assertRaises(ConfigError, APIConfig({"a": APIProviderConfig()}, "a").validate)
        self.assertEqual(len(error.problems), 3)
