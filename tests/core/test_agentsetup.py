"""Tests for L{llmproxy.core.agentsetup}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentsetup import AgentSetup, claude_gateway, claude_settings, codex_settings, merged

URL = "https://proxy.example"


class SetupTests(SynchronousTestCase):
    def test_base_url(self) -> None:
        for url, api, expected in (
            (URL, "anthropic", f"{URL}/anthropic"),
            (f"{URL}/", "anthropic", f"{URL}/anthropic"),
            (f"{URL}/below", "", f"{URL}/below"),
        ):
            self.assertEqual(AgentSetup(url, api).base_url, expected, (url, api))

    def test_claude(self) -> None:
        """The token is nowhere: it is in the environment, or a command prints it."""
        setup = AgentSetup(URL, "anthropic", model="opus")
        self.assertEqual(
            claude_settings(setup),
            {
                "env": {
                    "ANTHROPIC_BASE_URL": f"{URL}/anthropic",
                    "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
                },
                "model": "opus",
            },
        )
        setup = AgentSetup(URL, "", "command", ("cat", "/a file"))
        self.assertEqual(claude_settings(setup)["apiKeyHelper"], "cat '/a file'")
        self.assertEqual(claude_settings(AgentSetup(URL, "", "own")).keys(), {"env"})

    def test_claude_gateway(self) -> None:
        """The base URL that Claude Code signs in at, and the model; nothing that says how it comes by a token."""
        found = claude_gateway(AgentSetup(URL, "anthropic", model="opus"))
        self.assertEqual(
            (found["forceLoginMethod"], found["forceLoginGatewayUrl"], found["model"]),
            ("gateway", f"{URL}/anthropic", "opus"),
        )
        self.assertNotIn("apiKeyHelper", claude_gateway(AgentSetup(URL, "", "command", ("cat", "x"))))

    def test_codex(self) -> None:
        """One way to come by the token, as Codex takes no two."""
        ways = {"env_key", "auth", "requires_openai_auth", "env_http_headers"}
        for setup, expected in (
            (AgentSetup(URL, "openai"), {"env_key"}),
            (AgentSetup(URL, "openai", "command", ("cat", "x")), {"auth"}),
            (AgentSetup(URL, "openai", "own"), {"requires_openai_auth", "env_http_headers"}),
        ):
            provider = codex_settings(setup)["model_providers"]["llmproxy"]
            self.assertEqual(provider.keys() & ways, expected, setup)
            self.assertEqual(provider["base_url"], f"{URL}/openai/v1", setup)

    def test_merged(self) -> None:
        """Members of mappings are put in one by one; neither value is changed."""
        before = {"a": {"x": 1}, "b": [1], "c": {"y": 1}}
        self.assertEqual(
            merged(before, {"a": {"z": 2}, "b": [2], "c": 3, "d": {"e": 4}}),
            {"a": {"x": 1, "z": 2}, "b": [2], "c": 3, "d": {"e": 4}},
        )
        self.assertEqual(before, {"a": {"x": 1}, "b": [1], "c": {"y": 1}})
