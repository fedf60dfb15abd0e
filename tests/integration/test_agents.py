"""
The real Claude Code and the real Codex through a running proxy, in a network with nothing but loopback, and what
people read of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .agentprograms import CLAUDE, CODEX, Island, why_not
from .agentupstream import HELLO, OVERLOADED
from .processes import LLMPROXY, MANAGEMENT_TOKEN, ROOT, environment, free_port, start

PATIENCE = 120.0
MODEL, CODEX_MODEL = "claude-sonnet-4-5", "gpt-5-codex"

CONFIG = """
default_api: anthropic
apis:
  anthropic:
    base_url: http://127.0.0.1:{upstream}
    dialect: anthropic
    allowed_endpoints: [/v1/messages, /v1/messages/count_tokens]
    allowed_methods: [POST]
  openai:
    base_url: http://127.0.0.1:{upstream}
    dialect: openai
    allowed_endpoints: [/v1/responses, /v1/models]
    allowed_methods: [GET, POST]
agents:
  claude:
    api: anthropic
    models: [{{models: [{{id: claude-sonnet-4-5, display_name: Sonnet of the company}}]}}]
    settings: [{{settings: {{env: {{FROM_THE_PROXY: "1"}}}}}}]
    telemetry: drop
  codex: {{api: openai, models: [{{models: [gpt-5-codex]}}]}}
"""


class AgentProgramsTestCase(SynchronousTestCase):
    """A proxy, an upstream, and both programs, alone with each other."""

    config = CONFIG

    def setUp(self) -> None:
        if why_not():
            raise SkipTest(why_not())
        self.directory = os.path.abspath(self.mktemp())
        self.home = os.path.join(self.directory, "home")
        os.makedirs(self.home)
        self.island = Island()
        self.addCleanup(self.island.stop)
        upstream, self.port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = Path(self.directory) / "upstream.log"
        command = (sys.executable, "-m", "tests.integration.agentupstream", str(upstream), str(self.log))
        self.begin("upstream", command)
        config = Path(self.directory) / "apis.yaml"
        config.write_text(self.config.format(upstream=upstream))
        listen = f"tcp:{self.port}:interface=127.0.0.1"
        self.begin("proxy", (*LLMPROXY, "serve", "--config", str(config), "--listen", listen))
        self.until(lambda: self.ask("/ready")[0] == 200 and self.ask("/", port=upstream)[0] == 200)
        self.log.write_text("")
        key = self.file("key", "sk-upstream-key-0123456789")
        self.manage("project", "create", "--name", "eng", "--no-api-key")
        for api in ("anthropic", "openai"):
            self.manage("project", "set-key", "eng", api, "--api-key-file", key)

    def begin(self, name: str, command: tuple[str, ...]) -> None:
        """A process of its own, which ends with the test."""
        directory = os.path.join(self.directory, name)
        os.mkdir(directory)
        process = start(
            (*self.island.prefix, *command),
            directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_PATH="proxy.db",
            PYTHONPATH=str(ROOT),
        )
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)

    def until(self, condition: Any) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise AssertionError((Path(self.directory) / "proxy" / "stderr").read_text()[-3000:])
            time.sleep(0.2)

    def file(self, name: str, text: str) -> str:
        path = os.path.join(self.directory, name)
        Path(path).write_text(text)
        return path

    def ask(self, path: str, *fields: str, port: int = 0, method: str = "GET") -> tuple[int, str]:
        """Ask something from within the island."""
        program = (
            "import sys, http.client as h; c = h.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=30); "
            "c.request(sys.argv[3], sys.argv[2], headers=dict(x.split(': ', 1) for x in sys.argv[4:])); "
            "r = c.getresponse(); print(r.status); print(r.read().decode())"
        )
        command = (*self.island.prefix, sys.executable, "-c", program, str(port or self.port), path, method, *fields)
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        status, _, body = found.stdout.partition("\n")
        return int(status or 0), body

    def manage(self, *words: str, stdin: str | None = None) -> str:
        """A command of ours."""
        found = subprocess.run(
            (*self.island.prefix, *LLMPROXY, *words),
            cwd=self.directory,
            env=environment(MANAGEMENT_TOKEN=MANAGEMENT_TOKEN, MANAGE_API_BASE_URL=self.url),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(found.returncode, 0, found.stderr)
        return found.stdout

    def token(self, *words: str) -> str:
        made = self.manage("token", "create", "--project", "eng", "--duration", "1h", "--json", *words)
        found: str = json.loads(made)["token"]
        return found

    def claude(self, prompt: str, token: str, **env: str) -> tuple[int, str]:
        """What Claude Code says, with the settings that our command writes."""
        secret = self.file("token", token)
        path = os.path.join(self.home, ".claude", "settings.json")
        self.manage("agents", "claude", "--url", self.url, "--model", MODEL, "--token-file", secret, "--file", path)
        command = (str(CLAUDE), "-p", prompt, "--allowedTools", "Read")
        found = self.island.run(command, self.home, CLAUDE_CODE_MAX_RETRIES="1", **env)
        return found.returncode, found.stdout + found.stderr

    def codex(self, prompt: str, token: str) -> tuple[int, str]:
        """What Codex says, likewise."""
        secret = self.file("token", token)
        path = os.path.join(self.home, ".codex", "config.toml")
        words = ("--url", self.url, "--model", CODEX_MODEL, "--token-file", secret, "--file", path)
        self.manage("agents", "codex", *words)
        retries = [f"model_providers.llmproxy.{name}_max_retries=1" for name in ("request", "stream")]
        options = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
        command = (str(CODEX), *options, "-c", retries[0], "-c", retries[1], prompt)
        found = self.island.run(command, self.home)
        return found.returncode, found.stdout + found.stderr

    def asked(self, path: str) -> list[dict[str, Any]]:
        """What upstream was asked."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["path"].startswith(path)]


class AgentProgramsTests(AgentProgramsTestCase):
    def test_claude(self) -> None:
        """A plain answer, streamed, and a tool; upstream gets our key, and what Claude Code says of itself."""
        token = self.token()
        self.assertEqual(self.claude("Say hello", token), (0, f"{HELLO}\n"))
        note = self.file("home/note.txt", "canary-note1\n")
        status, said = self.claude(f"USE-A-TOOL-ON {note}", token)
        self.assertEqual((status, said.strip()), (0, "The file says canary-note1"))
        calls = self.asked("/v1/messages?beta=true")
        # Some of its own beside those of the conversation.
        self.assertGreaterEqual(len([call for call in calls if call["stream"]]), 3)
        for call in calls:
            fields = call["headers"]
            self.assertTrue(fields["x-claude-code-session-id"], call)
            self.assertIn("claude-code-", fields["anthropic-beta"], call)
            self.assertNotIn(token, json.dumps(fields), "our token went to upstream")
        # The probe without a credential was no attempt at anything.
        audit = self.manage("audit", "list", "--json")
        self.assertNotIn("denied", audit)

    def test_codex(self) -> None:
        """Likewise."""
        token = self.token()
        status, said = self.codex("Say hello", token)
        self.assertEqual(status, 0, said)
        self.assertIn(HELLO, said)
        note = self.file("home/note.txt", "canary-note2\n")
        status, said = self.codex(f"USE-A-TOOL-ON {note}", token)
        self.assertIn("The file says canary-note2", said)
        calls = self.asked("/v1/responses")
        self.assertEqual(len(calls), 3)
        for call in calls:
            self.assertTrue(call["headers"]["session-id"], call)
            self.assertNotIn(token, json.dumps(call["headers"]), "our token went to upstream")

    def test_what_people_read(self) -> None:
        """A model that is not theirs, a used-up budget, a token that was revoked, an upstream that has no room."""
        denied, poor, revoked = self.token("--model", "other-*"), self.token("--max-budget", "0.0001"), self.token()
        self.manage("token", "revoke", "-", stdin=revoked)
        good = self.token()
        for program, rows in (
            (
                self.claude,
                (
                    (denied, "Hello", "'claude-sonnet-4-5' is not among models", "authenticate"),
                    (poor, "Hello", "Budget is used up", ""),
                    (revoked, "Hello", "401", ""),
                    (good, OVERLOADED, "Overloaded", ""),
                ),
            ),
            (
                self.codex,
                (
                    (denied, "Hello", "'gpt-5-codex' is not among models", ""),
                    (poor, "Hello", "429", ""),
                    (revoked, "Hello", "401", ""),
                    (good, OVERLOADED, "Overloaded", ""),
                ),
            ),
        ):
            for token, prompt, words, others in rows:
                status, said = program(prompt, token)
                self.assertNotEqual(status, 0, (program, words))
                self.assertIn(words, said, (program, words))
                if others:
                    self.assertNotIn(others, said, (program, words))
                self.assertNotIn(token, said, (program, words))

    def test_models(self) -> None:
        """The lists that both read, in the shape of each."""
        bearer = f"Authorization: Bearer {self.token()}"
        status, body = self.ask("/anthropic/v1/models", bearer)
        self.assertEqual((status, json.loads(body)["data"][0]["display_name"]), (200, "Sonnet of the company"))
        status, body = self.ask("/openai/v1/models?client_version=0.171.0", bearer)
        self.assertEqual((status, json.loads(body)["models"][0]["slug"]), (200, CODEX_MODEL))
        self.assertEqual(self.ask("/openai/v1/models", bearer)[0], 200)
        self.assertEqual(self.ask("/", method="HEAD")[0], 204)
