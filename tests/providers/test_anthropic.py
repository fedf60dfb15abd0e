"""Tests for L{llmproxy.providers.anthropic}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.storing import is_complete_stream
from llmproxy.errors import ContentTooLarge, TokenExpired
from llmproxy.providers.anthropic import PROVIDERS

from .vendors import VendorTable


class AnthropicTests(VendorTable, SynchronousTestCase):
    (provider,) = PROVIDERS
    hosts = ("api.anthropic.com", "API.Anthropic.com.")
    strange_hosts = ("notanthropic.com", "anthropic.com.evil.example")
    secrets = ("sk-ant-api03-" + "a" * 90, "sk-ant-oat01-x", "sk-ant-" + "a" * 20 + "T3BlbkFJ" + "b" * 20)
    fields = (b"request-id", b"anthropic-ratelimit-input-tokens-remaining", b"anthropic-priority-input-tokens-limit")
    ids = (b"request-id",)
    bodies = ({"model": "evil"}, {"requests": [{"custom_id": "1", "params": {"model": "evil"}}]})

    def test_errors(self) -> None:
        """The type is the one that the documents name for the status; the id is in the body."""
        for error, kind in ((TokenExpired(), "authentication_error"), (ContentTooLarge(), "request_too_large")):
            body = json.loads(self.error(error))
            self.assertEqual(
                (body["type"], body["error"]["type"], body["request_id"]), ("error", kind, "r-1"), (error, kind)
            )
        self.assertEqual(self.event(TokenExpired()), b"")

    def test_ends(self) -> None:
        """A stream is whole with C{message_stop}."""
        for tail, expected in ((b"event: message_stop\ndata: {}\n\n", True), (b"event: ping\ndata: {}\n\n", False)):
            self.assertEqual(is_complete_stream(tail, self.ends()), expected, tail)
