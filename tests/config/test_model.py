"""Tests for L{llmproxy.config.model}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import APIProviderConfig, APIValues, CacheConfig, ConnectionConfig, MeterConfig
from llmproxy.config.upstreams import UpstreamConfig
from llmproxy.core.caching.settings import DEFAULT
from llmproxy.providers.registry import AUTH

PLAIN, SECURE = UpstreamConfig("plain", "http://a.example"), UpstreamConfig("secure", "HTTPS://b.example")
GOOD = APIProviderConfig(base_url="https://a.example/v1", allowed_endpoints=["/x"], allowed_methods=["POST"])


class CacheConfigTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """What is not said is as it is for all; what is said stands."""
        self.assertEqual(CacheConfig().settings(), DEFAULT)
        said = CacheConfig(enabled=False, wait=3.0)
        self.assertEqual((said.settings().enabled, said.settings().wait), (False, 3.0))
        self.assertEqual(said.with_defaults(DEFAULT).settings(), said.settings())


class APIProviderConfigTests(SynchronousTestCase):
    def test_incomplete(self) -> None:
        """What the reference demands of every API."""
        self.assertEqual(
            [key for key, _ in APIProviderConfig().incomplete("a")],
            ["base_url", "allowed_endpoints", "allowed_methods"],
        )
        self.assertEqual(list(GOOD.incomplete("a")), [])

    def test_contradictions(self) -> None:
        """A key that would never be sent, and projects that would have none."""
        table: list[tuple[dict[str, Any], list[str]]] = [
            ({}, []),
            ({"key": "k", "own_key_for": "all"}, []),
            ({"key": "k", "auth": AUTH["none"]}, ["key"]),
            ({"own_key_for": ["p"]}, ["key"]),
            ({"meter": MeterConfig(False)}, []),
            ({"meter": MeterConfig(None, "inject", True, True)}, []),
            ({"meter": MeterConfig(False, "inject")}, ["meter"]),
            ({"meter": MeterConfig(False, usage_trailer=True)}, ["meter"]),
            ({"connection": ConnectionConfig(http2=True), "base_url": "https://a.example"}, []),
            ({"connection": ConnectionConfig(http2=True), "base_url": "http://a.example"}, ["connection"]),
            ({"connection": ConnectionConfig(http2=True), "upstreams": [PLAIN, SECURE]}, []),
            ({"connection": ConnectionConfig(http2=True), "upstreams": [PLAIN]}, ["connection"]),
        ]
        for values, wrong in table:
            self.assertEqual([key for key, _ in APIProviderConfig(**values).contradictions()], wrong, values)


class APIValuesTests(SynchronousTestCase):
    def test_conflicts(self) -> None:
        """A default that is none, a name that hides an endpoint of the default, and names alike but for case."""
        for names, default, wrong in (
            ("ab", "a", []),
            ("ab", "c", [""]),
            ("ax", "a", ["x"]),
            ("aA", "a", ["A"]),
            ("", "a", []),
        ):
            values = APIValues(dict.fromkeys(names, GOOD), default)
            self.assertEqual([name for name, _ in values.conflicts()], wrong, (names, default))
