"""What coding agents get, over the management API."""

from __future__ import annotations

from typing import Any

from llmproxy.config.agents import (
    AgentModelConfig,
    AgentModelsConfig,
    AgentsConfig,
    AgentSettingsConfig,
    ClaudeConfig,
    CodexConfig,
    SignInConfig,
)
from llmproxy.core.agentversions import version_of
from llmproxy.web.manage.agents import AgentRoutes

from .api import ManageTestCase

SECRET = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"

AGENTS = AgentsConfig(
    ClaudeConfig(
        "anthropic",
        (AgentModelsConfig(("eng",), (AgentModelConfig("opus", "Opus"), AgentModelConfig("haiku"))),),
        (
            AgentSettingsConfig(("eng",), file="/etc/claude.json", settings='{"env":{"KEY":"' + SECRET + '"}}'),
            AgentSettingsConfig(settings="{}"),
        ),
        "sinks",
    ),
    CodexConfig(models=(AgentModelsConfig(models=(AgentModelConfig("gpt-5-codex"),)),)),
    SignInConfig(),
)


class AgentsTests(ManageTestCase):
    config: AgentsConfig | None = AGENTS

    def resource(self, *arguments: Any, **more: Any) -> Any:
        routes = AgentRoutes(lambda: (self.config, "openai")).routes()
        return super().resource(*arguments, **{"more": [routes], **more})

    def test_shown(self) -> None:
        """Models and settings by group, with the versions that clients name; keys masked."""
        said = self.ask("GET", "/agents").json
        claude = said["claude"]
        self.assertEqual((claude["api"], claude["telemetry"], said["codex"]["api"]), ("anthropic", "sinks", "openai"))
        self.assertEqual(
            claude["models"],
            [
                {
                    "groups": ["eng"],
                    "models": [{"id": "opus", "display_name": "Opus"}, {"id": "haiku", "display_name": "haiku"}],
                }
            ],
        )
        assert AGENTS.claude is not None
        first, second = claude["settings"]
        self.assertEqual((first["source"], second["source"]), ("/etc/claude.json", ""))
        self.assertEqual(first["version"], version_of(AGENTS.claude.settings[0].content))
        self.assertNotIn(SECRET, repr(first))
        self.assertEqual((second["groups"], second["settings"]), (["*"], {}))
        self.assertEqual(said["sign_in"]["token_lifetime"], 3600)

    def test_off(self) -> None:
        """What is off is null."""
        for config in (None, AgentsConfig()):
            self.config = config
            said = self.ask("GET", "/agents").json
            self.assertEqual(said, {"claude": None, "codex": None, "sign_in": None}, config)
