"""Tests for L{llmproxy.providers.bedrock}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.bedrock import METRICS, PROVIDERS, usage_of
from llmproxy.usage import Usage

from .vendors import VendorTable


class BedrockTests(VendorTable, SynchronousTestCase):
    (provider,) = PROVIDERS
    hosts = ("bedrock-runtime.us-east-1.amazonaws.com",)
    strange_hosts = ("amazon.com",)
    secrets = ("ABSKx", "AKIAx")
    bodies = ({"modelId": "evil"},)
    ids = (b"x-amzn-requestid",)
    paths = (
        "/model/evil/invoke",
        "/model/evil/converse-stream",
        "/endpoints/evil/invocations",
    )
    named = {b"/model/anthropic.claude-v2%3A1/invoke": "anthropic.claude-v2:1"}

    def test_usage(self) -> None:
        """What was read from the cache and written to it is added to the input, by either of its names."""
        for end in ("s", "Count"):
            said = {
                "inputTokens": 1,
                "outputTokens": 2,
                f"cacheReadInputToken{end}": 10,
                f"cacheWriteInputToken{end}": 20,
            }
            usage = usage_of({"usage": said})
            self.assertEqual(usage, Usage(31, 10, 20, 2, raw=said), end)
        self.assertIsNone(usage_of({"usage": {"inputTokens": None}, METRICS: {}, "prompt_token_count": "1"}))
