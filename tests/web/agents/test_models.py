"""Tests for L{llmproxy.web.agents.models}."""

from __future__ import annotations

import json

from llmproxy.config.agents import AgentModelConfig, AgentModelsConfig, AgentsConfig, ClaudeConfig, CodexConfig
from llmproxy.core.agentmodels import ShownModel, claude_list
from llmproxy.web.agents.access import Access, Caller
from llmproxy.web.agents.models import AgentModels

from .agentcase import AgentTestCase, KnownCallers

OPUS, HAIKU = AgentModelConfig("claude-opus-4-5", "Opus"), AgentModelConfig("claude-haiku-4-5")


class AgentModelsTests(AgentTestCase):
    claude = ClaudeConfig(models=(AgentModelsConfig(("eng",), (OPUS, HAIKU)), AgentModelsConfig(models=(HAIKU,))))
    more = AgentsConfig(codex=CodexConfig("openai", (AgentModelsConfig(models=(AgentModelConfig("gpt-5", "GPT"),)),)))

    def ids(self, path: str = "/v1/models") -> list[str]:
        got = self.ask("GET", path)
        self.assertEqual(got.status, 200, got.body)
        return [each["id"] for each in json.loads(got.body)["data"]]

    def test_everybody(self) -> None:
        """Somebody of no group gets what is for everybody, at either base URL."""
        self.assertEqual(self.ids(), ["claude-haiku-4-5"])
        self.assertEqual(self.ids("/anthropic/v1/models?limit=1000"), ["claude-haiku-4-5"])

    def test_condition(self) -> None:
        """A client that has it is told so."""
        first = self.ask("GET", "/v1/models")
        headers = {"Authorization": "Bearer sk-" + "A" * 22, "If-None-Match": first.field("etag")}
        again = self.ask("GET", "/v1/models", headers=headers)
        self.assertEqual((again.status, again.body), (304, b""))

    def test_stranger(self) -> None:
        """Without a token nobody learns of models."""
        self.assertEqual(self.ask("GET", "/v1/models", headers={}).status, 401)
        wrong = self.ask("GET", "/v1/models", headers={"x-api-key": "sk-" + "B" * 22})
        self.assertEqual((wrong.status, json.loads(wrong.body)["error"]["type"]), (401, "authentication_error"))

    def test_codex(self) -> None:
        """Codex, which says its version, gets its own shape; everybody else the API's list."""
        got = self.ask("GET", "/openai/v1/models?client_version=0.171.0")
        self.assertEqual([each["slug"] for each in json.loads(got.body)["models"]], ["gpt-5"])
        self.client.request("GET", "http://proxy.example/openai/v1/models", headers={"x-api-key": "sk-" + "A" * 22})
        self.assertEqual([each.url for each in self.memory.upstream.calls], ["https://openai.example/v1/models"])

    def made(self, callers: KnownCallers, *allowed: str) -> AgentModels:
        proxy = self.memory.proxy
        access = Access(proxy.foundation.admission.authenticate, lambda: proxy.generations.table, callers)
        assert self.claude is not None
        models = self.claude.models
        return AgentModels(access, lambda: models, lambda _, model: not allowed or model in allowed, claude_list)

    def test_groups(self) -> None:
        """Somebody of a group gets what is for it, and of it no model that they may not use."""
        callers = KnownCallers()
        callers.caller = Caller("p1", "a@x.example", ("eng",))
        for allowed, expected in (
            ((), ["claude-opus-4-5", "claude-haiku-4-5"]),
            (("claude-haiku-4-5",), ["claude-haiku-4-5"]),
            (("gpt",), []),
        ):
            self.resource.putChild(b"list", self.made(callers, *allowed))
            self.assertEqual(self.ids("/list"), expected, allowed)

    def test_none_fits(self) -> None:
        """404 leaves the client with its own list."""
        self.resource.putChild(
            b"list", AgentModels(self.made(KnownCallers())._access, lambda: (), lambda *_: True, claude_list)
        )
        self.assertEqual(self.ask("GET", "/list").status, 404)

    def test_shape(self) -> None:
        """Names for people are in it."""
        self.assertIn(b'"display_name":"Opus"', claude_list([ShownModel("claude-opus-4-5", "Opus")]))
