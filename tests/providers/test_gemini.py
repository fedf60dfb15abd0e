"""Tests for L{llmproxy.providers.gemini}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.storing import is_complete_stream
from llmproxy.errors import TokenExpired, UpstreamTimeout
from llmproxy.providers.gemini import PROVIDERS

from .vendors import VendorTable


class GeminiTests(VendorTable, SynchronousTestCase):
    (provider,) = PROVIDERS
    hosts = ("generativelanguage.googleapis.com", "us-central1-aiplatform.googleapis.com")
    strange_hosts = ("googleapis.com.evil.example", "google.com")
    secrets = ("AIza" + "a" * 35, "AQ.Ab8RN6", "ya29.a0AfH6")
    fields = (b"x-goog-upload-url", b"x-goog-upload-control-url")
    ids = (b"x-goog-request-id",)
    stripped = {b"/v1beta/models?key=mine&alt=sse": b"/v1beta/models?alt=sse"}
    paths = (
        "/v1beta/models/evil:generateContent",
        "/v1beta/tunedModels/evil:generateContent",
        "/v1/projects/p/locations/l/publishers/google/models/evil:streamGenerateContent",
        "/v1/projects/p/locations/l/endpoints/evil:predict",
    )
    harmless = ("/v1beta/models", "/v1/projects/p/locations/l/endpoints/openapi/chat/completions")
    bodies = (
        {"model": "models/evil"},
        {"baseModel": "evil"},
        {"requests": [{"model": "evil", "content": {}}]},
        {"batch": {"input_config": {"requests": {"requests": [{"request": {"model": "evil"}}]}}}},
        {"generateContentRequest": {"model": "evil"}},
        {"setup": {"model": "publishers/google/models/evil"}},
    )
    named = {
        b"/v1beta/models/gemini-2.5-pro:generateContent": "gemini-2.5-pro",
        b"/v1beta/tunedModels/mine:generateContent": "mine",
    }

    def test_errors(self) -> None:
        """The status is there as a number, and by its name."""
        for error, name in ((TokenExpired(), "UNAUTHENTICATED"), (UpstreamTimeout("silence"), "DEADLINE_EXCEEDED")):
            inner = json.loads(self.error(error))["error"]
            self.assertEqual((inner["code"], inner["status"]), (error.status, name), (error, name))

    def test_ends(self) -> None:
        """A stream is whole once it says why it ends."""
        whole = b'data: {"candidates":[{"finishReason":"STOP"}]}\r\n\r\n'
        for tail, expected in ((whole, True), (b'data: {"candidates":[]}\r\n\r\n', False)):
            self.assertEqual(is_complete_stream(tail, self.ends()), expected, tail)
