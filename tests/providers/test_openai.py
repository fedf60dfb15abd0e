"""Tests for L{llmproxy.providers.openai}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.storing import is_complete_stream
from llmproxy.errors import TokenExpired, UpstreamReset
from llmproxy.providers.openai import PROVIDERS, usage_of

from .vendors import VendorTable


class OpenAITests(VendorTable, SynchronousTestCase):
    (provider,) = PROVIDERS
    hosts = ("api.openai.com", "eu.api.openai.com")
    strange_hosts = ("openai.azure.com", "openai.com.evil.example", "evilopenai.com")
    secrets = ("sk-proj-" + "a" * 40, "sk-svcacct-x", "sk-" + "a" * 20 + "T3BlbkFJ" + "b" * 20, "sess-x")
    fields = (b"x-request-id", b"x-ratelimit-limit-project-tokens", b"openai-processing-ms")
    ids = (b"x-request-id",)
    stripped = {b"/v1?key=cursor": b"/v1?key=cursor"}
    paths = ("/v1/models/evil", "/v1/engines/evil/completions", "/v1/fine_tuning/checkpoints/evil/permissions")
    harmless = ("/v1/models", "/v1/chat/completions")
    bodies = (
        {"model": "evil"},
        {"tools": [{"type": "image_generation", "model": "evil"}]},
        {"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "evil"}}}}},
        {"type": "response.create", "response": {"model": "evil"}},
        {"testing_criteria": [{"model": "evil"}]},
        {"method": {"reinforcement": {"grader": {"model": "evil"}}}},
    )
    unseen = ("/v1/uploads", "/v1/uploads/upload_1/parts")
    named = {
        b"/v1/engines/davinci/completions": "davinci",
        b"/v1/models/gpt-4o": "gpt-4o",
        b"/v1/realtime?model=gpt-realtime&x=1": "gpt-realtime",
        b"/v1/models": "",
    }

    def test_errors(self) -> None:
        """The type follows the status; a WebSocket is told the same in an event."""
        for error, kind in ((TokenExpired(), "authentication_error"), (UpstreamReset(), "server_error")):
            inner = json.loads(self.error(error))["error"]
            self.assertEqual((inner["type"], inner["code"], inner["param"]), (kind, error.code, None), (error, kind))
            told = json.loads(self.event(error))
            self.assertEqual((told["type"], told["error"]["code"]), ("error", error.code), (error, kind))

    def test_ends(self) -> None:
        """A stream is whole with the last event of its kind."""
        for tail, expected in (
            (b"data: {}\n\ndata: [DONE]\n\n", True),
            (b'event: response.completed\ndata: {"type":"response.completed"}\n\n', True),
            (b"data: {}\n\n", False),
        ):
            self.assertEqual(is_complete_stream(tail, self.ends()), expected, tail)

    def test_tiers(self) -> None:
        """The way it was served stands beside the usage, where it is not the usual one."""
        usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
        for tier, kept in (("flex", "flex"), ("priority", "priority"), ("default", None), ("auto", None), (5, None)):
            for found in ({"usage": usage, "service_tier": tier}, {"usage": usage, "response.service_tier": tier}):
                read = usage_of(found)
                self.assertEqual(((read and read.raw) or {}).get("service_tier"), kept, found)
