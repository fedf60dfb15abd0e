"""Tests for L{llmproxy.cli.agents}."""

from __future__ import annotations

import json
import os
from pathlib import Path

import tomlkit
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli

URL = "https://proxy.example"


class AgentsTests(SynchronousTestCase):
    def setUp(self) -> None:
        home = self.home = Path(self.mktemp()).absolute()
        self.env = {
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": None,
            "CODEX_HOME": None,
            "LLMPROXY_URL": None,
            "PATH": os.defpath,
        }

    def run_with(self, *words: str, status: int = 0, **env: str) -> Result:
        result = CliRunner().invoke(cli, ["agents", *words], env={**self.env, **env})
        self.assertEqual(result.exit_code, status, result.output)
        return result

    def test_printed(self) -> None:
        """Standard output is the file, so that it can be sent there; what else there is to do is said beside it."""
        found = self.run_with("claude", LLMPROXY_URL=URL)
        self.assertEqual(json.loads(found.stdout)["env"]["ANTHROPIC_BASE_URL"], f"{URL}/anthropic")
        self.assertIn("export ANTHROPIC_AUTH_TOKEN=", found.stderr)
        found = self.run_with("codex", "--url", URL, "--api", "", "--model", "gpt-5-codex")
        settings = tomlkit.parse(found.stdout).unwrap()
        self.assertEqual(settings["model_providers"]["llmproxy"]["base_url"], f"{URL}/v1")
        self.assertEqual(settings["model"], "gpt-5-codex")
        self.assertIn("export LLMPROXY_TOKEN=", found.stderr)
        self.assertFalse(self.home.exists())

    def test_sign_in(self) -> None:
        """The token comes of a command; for this machine the command is named by its path."""
        found = json.loads(self.run_with("claude", "--url", URL, "--sign-in").stdout)
        self.assertEqual(found["apiKeyHelper"], f"llmproxy auth print-token --url {URL}")
        self.run_with("codex", "--url", URL, "--sign-in", "--write")
        path = self.home / ".codex" / "config.toml"
        auth = tomlkit.parse(path.read_text()).unwrap()["model_providers"]["llmproxy"]["auth"]
        self.assertTrue(os.path.isabs(auth["command"]), auth)
        self.assertEqual(auth["args"][-4:], ["auth", "print-token", "--url", URL])

    def test_gateway(self) -> None:
        """For Claude Code's own sign-in: the machine's settings; no token is spoken of."""
        found = self.run_with("claude", "--url", URL, "--gateway")
        self.assertEqual(json.loads(found.stdout)["forceLoginGatewayUrl"], f"{URL}/anthropic")
        self.assertIn("managed-settings.json", found.stderr)
        self.assertNotIn("ANTHROPIC_AUTH_TOKEN", found.stderr)
        path = self.home / "managed-settings.json"
        self.run_with("claude", "--url", "http://127.0.0.1:8080", "--gateway", "--file", str(path))
        self.assertEqual(json.loads(path.read_text())["forceLoginMethod"], "gateway")
        for words, said in (
            (["--url", URL, "--token-file", "x"], "goes with none of"),
            (["--url", URL, "--sign-in"], "goes with none of"),
            (["--url", "http://proxy.example"], "https:// alone"),
        ):
            self.assertIn(said, self.run_with("claude", "--gateway", *words, status=2).stderr, words)

    def test_token_file(self) -> None:
        """Its path is whole: a program asks from wherever it is started."""
        found = json.loads(self.run_with("claude", "--url", URL, "--token-file", "a b").stdout)
        self.assertEqual(found["apiKeyHelper"], f"cat '{os.path.abspath('a b')}'")

    def test_own_credential(self) -> None:
        found = self.run_with("claude", "--url", URL, "--own-credential", "--token-file", "/t")
        self.assertNotIn("apiKeyHelper", found.stdout)
        self.assertIn('export ANTHROPIC_CUSTOM_HEADERS="X-LLMProxy-Token: $(cat /t)"', found.stderr)
        found = self.run_with("codex", "--url", URL, "--own-credential")
        self.assertIn("requires_openai_auth = true", found.stdout)

    def test_written(self) -> None:
        """Into what is there; a credential that would be sent in place of ours is warned of."""
        path = self.home / ".claude" / "settings.json"
        path.parent.mkdir(parents=True)
        path.write_text('{"env": {"ANTHROPIC_API_KEY": "secret"}, "x": 1}')
        found = self.run_with("claude", "--url", URL, "--write")
        self.assertEqual(found.stdout, "")
        self.assertIn("ANTHROPIC_API_KEY in env of this file", found.stderr)
        self.assertNotIn("secret", found.stderr)
        self.assertEqual(json.loads(path.read_text())["x"], 1)
        self.assertIn("is so already", self.run_with("claude", "--url", URL, "--write").stderr)
        other = self.home / "other.json"
        self.run_with("claude", "--url", URL, "--file", str(other))
        self.assertIn(URL, other.read_text())
        other.write_text("{")
        self.assertIn("is not JSON", self.run_with("claude", "--url", URL, "--file", str(other), status=1).stderr)

    def test_wrong(self) -> None:
        """What could not work is refused before anything is written."""
        for words, said in (
            (["--sign-in", "--own-credential"], "--sign-in goes with neither"),
            (["--sign-in", "--token-file", "x"], "--sign-in goes with neither"),
            (["--url", "unix:/run/x"], "Unix sockets"),
            (["--url", "proxy.example"], "--url: expected"),
            (["--api", "a/b"], "--api: expected"),
        ):
            self.assertIn(said, self.run_with("codex", "--write", *words, status=2).stderr, words)
        self.assertFalse(self.home.exists())
        said = self.run_with("codex", "--url", "http://proxy.example").stderr
        self.assertIn("tokens are sent without encryption", said)
