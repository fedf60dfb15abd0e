"""What coding agents get, over the management API."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from llmproxy.config.agents import (
    AgentModelConfig,
    AgentModelsConfig,
    AgentsConfig,
    AgentSettingsConfig,
    ClaudeConfig,
    CodexConfig,
    SignInConfig,
)
from llmproxy.core.agentversions import SettingsVersion, version_of
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


VERSIONS = [
    SettingsVersion("2", 1_700_000_001.0, "eng, ops", "", "v1", ""),
    SettingsVersion("1", 1_700_000_000.0, "eng, ops", "v1", "", '{"a":1}'),
]


class AgentsTests(ManageTestCase):
    config: AgentsConfig | None = AGENTS

    def versions(self, limit: int) -> Deferred[list[SettingsVersion]]:
        return succeed(VERSIONS[:limit])

    def resource(self, *arguments: Any, **more: Any) -> Any:
        routes = AgentRoutes(lambda: (self.config, "openai"), self.versions).routes()
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

    def test_versions(self) -> None:
        """Those that there were; what there was not is null."""
        last, first = self.ask("GET", "/agents/settings/versions").json
        self.assertEqual((last["version"], last["settings"], last["version_before"]), (None, None, "v1"))
        self.assertEqual(
            (first["groups"], first["version"], first["version_before"], first["settings"], first["noted_at"]),
            ("eng, ops", "v1", None, {"a": 1}, "2023-11-14T22:13:20Z"),
        )
        self.assertEqual(len(self.ask("GET", "/agents/settings/versions?limit=1").json), 1)
        for limit in ("0", "501", "x"):
            self.refused(self.ask("GET", f"/agents/settings/versions?limit={limit}"), 400, "invalid query")

    def test_off(self) -> None:
        """What is off is null."""
        for config in (None, AgentsConfig()):
            self.config = config
            said = self.ask("GET", "/agents").json
            self.assertEqual(said, {"claude": None, "codex": None, "sign_in": None}, config)
