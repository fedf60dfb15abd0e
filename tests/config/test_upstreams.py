"""Tests for L{llmproxy.config.upstreams}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.upstreams import UpstreamConfig, differ, repeated
from llmproxy.origin import CredentialPlace
from llmproxy.providers.registry import AUTH
from tests.tables import row

BEARER = CredentialPlace()


class UpstreamConfigTests(SynchronousTestCase):
    def test_contradictions(self) -> None:
        """What is missing, and what would never be used or would be used as a key."""
        table: tuple[tuple[dict[str, Any], list[str]], ...] = (
            ({}, []),
            ({"name": ""}, ["name"]),
            ({"base_url": ""}, ["base_url"]),
            ({"auth": AUTH["none"], "key": "k"}, ["key"]),
            ({"auth": AUTH["none"]}, []),
            ({"base_url": "http://a", "sni": "b"}, ["sni"]),
            ({"auth": CredentialPlace("header", b"X-Mine", b""), "headers": {"x-mine": "1"}}, ["headers.x-mine"]),
            ({"models": [{"a": "b"}]}, []),
        )
        for changes, expected in table:
            with row(changes):
                upstream = UpstreamConfig(**{"name": "a", "base_url": "https://a", **changes})
                self.assertEqual([key for key, _ in upstream.contradictions(BEARER)], expected)

    def test_models(self) -> None:
        """An alias is served by the name that callers know."""
        upstream = UpstreamConfig(models=["gpt-4o*", {"gpt-5": "five"}])
        self.assertEqual(upstream.serves(), ("gpt-4o*", "gpt-5"))
        self.assertEqual(upstream.aliases(), {"gpt-5": "five"})

    def test_secret(self) -> None:
        """A key is not shown."""
        self.assertNotIn("canary", repr(UpstreamConfig(key="canary")))


class SeveralTests(SynchronousTestCase):
    def test_repeated(self) -> None:
        """Names are the same in any case; those that are missing are another problem."""
        upstreams = [UpstreamConfig(name) for name in ("a", "A", "b", "", "", "b")]
        self.assertEqual([number for number, _ in repeated(upstreams)], [1, 5])

    def test_differ(self) -> None:
        """By what answers of one are not those of another."""
        for one, other, expected in (
            ({}, {}, ""),
            ({"weight": 1}, {"weight": 2}, ""),
            ({"models": ["a"]}, {"models": ["a"]}, ""),
            ({"models": ["a"]}, {}, "models"),
            ({"region": "eu"}, {"region": "us"}, "region"),
        ):
            with row(one, other):
                upstreams: list[Any] = [UpstreamConfig(**one), UpstreamConfig(**other)]  # type: ignore[arg-type]
                self.assertEqual(differ(upstreams), expected)
