"""Tests for L{llmproxy.config.agentsschema}."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, APIProviderConfig, load_api_config
from llmproxy.config.agents import AgentModelConfig, AgentsConfig, AgentSettingsConfig, ClaudeConfig
from llmproxy.config.agentsschema import MAX_SETTINGS, checked
from llmproxy.errors import ConfigError

from ..tables import row

APIS = """
default_api: anthropic
apis:
  anthropic:
    base_url: https://api.anthropic.com
    dialect: anthropic
    allowed_methods: [POST]
    allowed_endpoints: [/v1/messages]
  lists:
    base_url: https://b.example
    allowed_methods: [POST]
    allowed_endpoints: [/v1/models, /v1/chat/completions]
  whole:
    base_url: https://c.example
    allowed_methods: [POST]
    allowed_endpoints: [/v1]
"""


class AgentsSchemaTests(SynchronousTestCase):
    def load(self, agents: str) -> APIConfig:
        path = Path(self.mktemp())
        path.write_text(APIS + agents, encoding="utf-8")
        return load_api_config(str(path))

    def read(self, agents: str) -> AgentsConfig:
        found = self.load(agents).agents
        assert found is not None
        return found

    def test_nothing(self) -> None:
        """Without the key there is nothing."""
        self.assertIsNone(self.load("").agents)

    def test_on(self) -> None:
        """A word is enough, and C{off} is nothing."""
        people = "identity: {providers: [{name: a, issuer: 'https://id', client_id: x}], rules: [{project: p}]}\n"
        found = self.read(people + "agents: {claude: on, codex: off, sign_in: on}")
        self.assertEqual(found.claude, ClaudeConfig())
        self.assertIsNone(found.codex)
        assert found.sign_in is not None
        self.assertEqual(found.sign_in.token_lifetime, 3600)

    def test_models(self) -> None:
        """Models are names, or have a name for people and what else a program wants."""
        found = self.read(
            "agents: {claude: {models: [{groups: eng, models: [a, {id: b, display_name: B, details: {x: 1}}]}]}}"
        )
        assert found.claude is not None
        (entry,) = found.claude.models
        self.assertEqual(entry.groups, ("eng",))
        self.assertEqual(entry.models, (AgentModelConfig("a"), AgentModelConfig("b", "B", '{"x":1}')))

    def test_settings(self) -> None:
        """Settings keep the kinds of YAML, and are the same as JSON would be."""
        found = self.read(
            """
agents:
  claude:
    settings:
      - groups: [eng, ops]
        settings:
          model: opus
          n: 3
          f: 0.5
          yes: true
          none: null
          text: "5"
          permissions: {deny: ["Read(./.env)", 1]}
      - settings: '{"a": {}}'
"""
        )
        assert found.claude is not None
        first, second = found.claude.settings
        self.assertEqual(
            json.loads(first.content),
            {
                "model": "opus",
                "n": 3,
                "f": 0.5,
                "yes": True,
                "none": None,
                "text": "5",
                "permissions": {"deny": ["Read(./.env)", 1]},
            },
        )
        self.assertEqual((second.groups, second.content), (("*",), '{"a":{}}'))

    def test_file(self) -> None:
        """Settings can stand in a file of their own, which is checked when the configuration is."""
        path = Path(self.mktemp()).absolute()
        path.write_text('{ "model": "opus" }', encoding="utf-8")
        found = self.read(f"agents: {{claude: {{settings: [{{file: {path}}}]}}}}")
        assert found.claude is not None
        self.assertEqual(found.claude.settings, (AgentSettingsConfig(file=str(path), content='{"model":"opus"}'),))

    def test_wrong(self) -> None:
        """What is wrong is named, with what to do."""
        broken = Path(self.mktemp()).absolute()
        broken.write_text('{"model": "opus"', encoding="utf-8")
        for agents, words in (
            ("{claud: on}", "claud"),
            ("{claude: {api: nowhere}}", "no API 'nowhere'"),
            ("{codex: {api: nowhere}}", "no API 'nowhere'"),
            ("{claude: {telemetry: yes}}", "off, drop, sinks"),
            ("{claude: {settings: [{groups: [a]}]}}", "either settings"),
            ("{claude: {settings: [{settings: {}, file: /x}]}}", "either settings"),
            ("{claude: {settings: [{settings: '[]'}]}}", "expected a JSON object"),
            ('{claude: {settings: [{settings: \'{"a": 1, "a": 2}\'}]}}', "twice"),
            (f"{{claude: {{settings: [{{file: {broken}}}]}}}}", "not valid JSON"),
            ("{claude: {settings: [{file: /there/is/none}]}}", "there is none"),
            ("{claude: {settings: [{groups: [], settings: {}}]}}", "at least one group"),
            ("{claude: {models: [{models: [{display_name: x}]}]}}", "id is missing"),
            ("{claude: {api: lists, models: [{models: [m]}]}}", "/v1/models belongs to the API 'lists'"),
            ("{claude: {api: whole, telemetry: drop}}", "/v1/metrics belongs to the API 'whole'"),
            ("{sign_in: {token_lifetime: 0}}", "token_lifetime"),
            ("{sign_in: on}", "say which under identity"),
        ):
            with row(agents):
                error = self.assertRaises(ConfigError, self.load, f"agents: {agents}")
                self.assertIn(words, str(error), agents)

    def test_program(self) -> None:
        """A program can say the same."""
        api = APIProviderConfig(
            "https://a.example", allowed_endpoints=["/v1"], allowed_methods=["POST"], dialect="anthropic"
        )
        settings = AgentSettingsConfig(("eng",), settings='{"a":1}')
        good = APIConfig({"a": api}, "a", agents=AgentsConfig(ClaudeConfig(settings=(settings,))))
        good.validate()
        bad = APIConfig({"a": api}, "a", agents=AgentsConfig(ClaudeConfig("b")))
        self.assertIn("no API 'b'", str(self.assertRaises(ConfigError, bad.validate)))


class CheckedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What no reader of JSON would take is refused; what is shown holds nothing of the text."""
        for text in (
            '{"secret": ',
            "[]",
            "1",
            "",
            '{"secret": NaN}',
            "[" * 100_000,
            '{"s":"' + "x" * MAX_SETTINGS + '"}',
        ):
            with row(text[:20]):
                error = self.assertRaises(ValueError, checked, text)
                self.assertNotIn("secret", str(error), text[:20])
        self.assertEqual(checked(' {"b": [1, "ü"], "a": null} '), '{"b":[1,"ü"],"a":null}')
