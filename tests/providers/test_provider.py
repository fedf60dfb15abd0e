"""Tests for L{llmproxy.providers.provider}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.provider import Provider, starting


class ProviderTests(SynchronousTestCase):
    def test_nothing_known(self) -> None:
        """Of a vendor of whom nothing is known but the name, the usual is assumed."""
        provider = Provider("new")
        self.assertEqual(
            (provider.auth, provider.credential.prefix, provider.dialect), ("bearer", b"Bearer ", "openai")
        )
        self.assertEqual((provider.keys, provider.query_keys, provider.setup), (None, frozenset(), None))

    def test_starting(self) -> None:
        """The beginning of a key, not what stands within one."""
        self.assertIsNotNone(starting("ab-").match("ab-c"))
        self.assertIsNone(starting("ab-").match("xab-c"))
