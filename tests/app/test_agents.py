"""Tests for L{llmproxy.app.agents}."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from llmproxy.app.agents import AgentPaths
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.agents import (
    AgentModelConfig,
    AgentModelsConfig,
    AgentsConfig,
    AgentSettingsConfig,
    ClaudeConfig,
)
from llmproxy.core.agentversions import payload_of
from llmproxy.usagelimits import UsageLimits

from ..web.agents.agentcase import AgentTestCase
from ..web.agents.oauthcase import Noted


class AgentPathsTests(AgentTestCase):
    claude = ClaudeConfig(models=(AgentModelsConfig(models=(AgentModelConfig("a"), AgentModelConfig("b"))),))

    def serve(self, claude: ClaudeConfig, **apis: APIProviderConfig) -> None:
        """Another configuration, while the proxy runs."""
        self.memory.proxy.swap(APIConfig({**self.apis, **apis}, "anthropic", agents=AgentsConfig(claude)))

    def test_reload(self) -> None:
        """What another configuration says holds from then on."""
        self.assertEqual(self.ask("GET", "/managed/settings").status, 404)
        path = Path(self.mktemp())
        path.write_text('{"a": 1}', encoding="utf-8")
        self.serve(ClaudeConfig(settings=(AgentSettingsConfig(file=str(path)),)))
        self.assertEqual(self.ask("GET", "/managed/settings").body, payload_of('{"a":1}').encode())
        self.assertEqual(self.ask("GET", "/v1/models").status, 405)
        self.serve(ClaudeConfig("openai"))
        self.assertEqual(self.ask("GET", "/protocol").status, 405)
        self.assertEqual(self.ask("GET", "/openai/protocol").status, 200)

    def test_noted_at_once(self) -> None:
        """What a reload changes is in the audit log without waiting for somebody who asks."""
        paths, noted = AgentPaths(self.memory.proxy), Noted()
        self.patch(paths._notes, "_audit", noted)
        self.memory.proxy.listeners.append(paths.reloaded)
        self.serve(ClaudeConfig(settings=(AgentSettingsConfig(settings="{}"),)))
        self.assertEqual([action for action, *_ in noted.records], ["agents.settings_change"])

    def test_models_that_may_be_used(self) -> None:
        """Of the models that are shown only those that the API takes from this caller."""
        whitelisted = evolve(self.apis["anthropic"], param_whitelist={"model": ("b",)})
        assert self.claude is not None
        self.serve(self.claude, anthropic=whitelisted)
        self.assertNotIn(b'"id":"a"', self.ask("GET", "/v1/models").body)
        self.assertIn(b'"id":"b"', self.ask("GET", "/v1/models").body)

    def test_limits(self) -> None:
        """Nor those that the limits of the token leave out."""
        paths = AgentPaths(self.memory.proxy)
        principal = self.successResultOf(
            self.memory.proxy.foundation.admission.authenticate.principal_of(
                [(b"authorization", b"Bearer sk-" + b"A" * 22)], b"/", key_fields=frozenset(), query_keys=frozenset()
            )
        )
        limited = evolve(principal, token=evolve(principal.token, limits=UsageLimits(models=("a*",))))
        self.assertEqual([paths._allows("claude", limited, model) for model in ("a", "ab", "b")], [True, True, False])

    def test_api_is_untouched(self) -> None:
        """Messages go to the API as ever."""
        self.assertIsNone(AgentPaths(self.memory.proxy).find(b"/v1/messages?beta=true"))
        self.client.request(
            "POST", "http://proxy.example/v1/messages?beta=true", headers={"x-api-key": "sk-" + "A" * 22}
        )
        self.assertEqual(len(self.memory.upstream.calls), 1)
