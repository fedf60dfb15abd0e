"""Tests for L{llmproxy.config.fallbacks}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIProviderConfig
from llmproxy.config.fallbacks import no_fallback

APIS = {
    "openai": APIProviderConfig("https://a.example", dialect="openai"),
    "azure": APIProviderConfig("https://b.example", dialect="openai"),
    "anthropic": APIProviderConfig("https://c.example", dialect="anthropic"),
}


class NoFallbackTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Another API of the same dialect, and no other."""
        for other, words in (
            ("azure", ""),
            ("openai", "retry asks it again"),
            ("anthropic", "nothing is translated"),
            ("azur", "azur"),
        ):
            found = no_fallback("openai", other, APIS)
            self.assertIn(words, found, other)
            self.assertEqual(bool(words), bool(found), other)
