"""Tests for L{llmproxy.core.agentmodels}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentmodels import ShownModel, claude_list, codex_list

MODELS = [
    ShownModel("a", "Model A"),
    ShownModel("b", details='{"context_window":5,"created_at":"2026-01-01T00:00:00Z"}'),
]


class ClaudeListTests(SynchronousTestCase):
    def test_members(self) -> None:
        """What Claude Code, Anthropic's SDKs and OpenAI's look for is there."""
        page = json.loads(claude_list(MODELS))
        self.assertEqual([(each["id"], each["display_name"]) for each in page["data"]], [("a", "Model A"), ("b", "b")])
        self.assertEqual((page["has_more"], page["first_id"], page["last_id"]), (False, "a", "b"))
        self.assertEqual(page["data"][1]["created_at"], "2026-01-01T00:00:00Z")
        self.assertEqual({each["object"] for each in page["data"]}, {"model"})

    def test_empty(self) -> None:
        page = json.loads(claude_list([]))
        self.assertEqual((page["data"], page["first_id"]), ([], None))


class CodexListTests(SynchronousTestCase):
    def test_members(self) -> None:
        """Codex gets its own names, in the order of the configuration."""
        found = json.loads(codex_list(MODELS))["models"]
        self.assertEqual(
            [(each["slug"], each["display_name"], each["priority"]) for each in found],
            [("a", "Model A", 0), ("b", "b", 1)],
        )
        self.assertEqual([each["context_window"] for each in found], [272_000, 5])
