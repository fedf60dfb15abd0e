"""Tests for L{llmproxy.config.agents}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.agents import AgentModelConfig, AgentModelsConfig, AgentsConfig, ClaudeConfig


class AgentsConfigTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """Nothing is there that nobody asked for; what is asked for takes in no telemetry by itself."""
        self.assertEqual(AgentsConfig(), AgentsConfig(None, None, None))
        self.assertEqual(ClaudeConfig().telemetry, "off")

    def test_lists(self) -> None:
        """A program may give lists; entries are for everybody unless it says otherwise."""
        entry = AgentModelsConfig(models=[AgentModelConfig("m")])  # type: ignore[arg-type]
        self.assertEqual((entry.groups, entry.models), (("*",), (AgentModelConfig("m"),)))
