"""Tests for L{llmproxy.management.apikeys}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ProxyError
from llmproxy.management.apikeys import keys_of

from ..tables import row

KNOWN = ("openai", "anthropic", "gemini")


class KeysOfTests(SynchronousTestCase):
    def test_table(self) -> None:
        """C{api_key} is that of the default API; each value is one key or several, and none takes them away."""
        table: tuple[tuple[str | None, dict[str, Any], dict[str, Any]], ...] = (
            ("a", {}, {"openai": ("a",)}),
            (None, {}, {}),
            ("", {"openai": "b"}, {"openai": ("b",)}),
            ("a", {"gemini": ["c", "d"]}, {"openai": ("a",), "gemini": ("c", "d")}),
            (None, {"gemini": None, "old": None}, {"gemini": None, "old": None}),
        )
        for api_key, api_keys, expected in table:
            self.assertEqual(keys_of(api_key, api_keys, "openai", KNOWN, {"old"}), expected, (api_key, api_keys))

    def test_refused(self) -> None:
        """What cannot be is refused, with a sentence that shows no key."""
        table: tuple[tuple[str | None, dict[str, Any], int, str], ...] = (
            (None, {"opnai": "canary"}, 422, "unknown API 'opnai' (known: anthropic, gemini, openai)"),
            (None, {"OpenAI": "canary"}, 422, "unknown API 'OpenAI'"),
            (None, {"older": None}, 422, "unknown API 'older'"),
            (None, {"old": "canary"}, 422, "unknown API 'old'"),
            ("canary", {"openai": "canary"}, 422, "api_key is that of 'openai'"),
            ("canary", {"openai": None}, 422, "api_key is that of 'openai'"),
            (None, {"gemini": ["canary", "canary"]}, 422, "the keys for 'gemini' hold one twice"),
            (None, {"gemini": ["a", "canary...x"]}, 400, ""),
            ("sk****", {}, 400, ""),
        )
        for api_key, api_keys, status, words in table:
            with row(api_key):
                error = self.assertRaises(ProxyError, keys_of, api_key, api_keys, "openai", KNOWN, {"old"})
            self.assertEqual(error.status, status, api_keys)
            self.assertIn(words, error.description)
            self.assertNotIn("canary", f"{error!r} {error.message}")
