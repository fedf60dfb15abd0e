"""Tests for L{llmproxy.web.agents.protocol}."""

from __future__ import annotations

import json

from llmproxy.config.agents import ClaudeConfig

from .agentcase import AgentTestCase


class ProtocolTests(AgentTestCase):
    claude = ClaudeConfig(telemetry="drop")

    def test_what_there_is(self) -> None:
        """Anybody may know which part of the contract there is, below either base URL."""
        for path in ("/protocol", "/anthropic/protocol"):
            got = self.ask("GET", path, headers={})
            self.assertEqual(got.status, 200, path)
            body = json.loads(got.body)
            self.assertIn("GET /managed/settings", body["endpoints"], path)
            self.assertIn("POST /v1/traces", body["endpoints"], path)
            self.assertIn("GET /v1/models", body["not_implemented"], path)
            self.assertIs(body["sign_in"], False, path)
            self.assertEqual(got.length, len(got.body), path)

    def test_head(self) -> None:
        """A HEAD says what a GET would, without a body."""
        got = self.ask("HEAD", "/protocol", headers={})
        self.assertEqual((got.status, got.body), (200, b""))

    def test_other_method(self) -> None:
        """Errors are in the shape that Claude Code reads."""
        got = self.ask("POST", "/protocol", headers={}, data=b"x")
        self.assertEqual((got.status, got.field("allow")), (405, "GET, HEAD"))
        self.assertEqual(json.loads(got.body)["type"], "error")

    def test_elsewhere(self) -> None:
        """Below another API the path is that API's."""
        self.assertEqual(self.ask("GET", "/openai/protocol", headers={}).status, 401)


class OffTests(AgentTestCase):
    claude = None

    def test_nothing(self) -> None:
        """Where nothing is asked for there is nothing: the path is the API's."""
        self.assertEqual(self.ask("GET", "/protocol", headers={}).status, 401)
        self.assertEqual(self.ask("POST", "/managed/settings").status, 404)
