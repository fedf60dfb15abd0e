"""
Somebody signs in from a program: a real OpenID provider, a real browser, C{llmproxy login}, and then the real Claude
Code and Codex with what they got.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from ..tables import row
from . import agentprograms, browser, oidcprovider
from .agentprograms import CLAUDE, CODEX, Island
from .agentupstream import HELLO
from .browser import BrowserTestCase
from .oidcprovider import SECRET, OidcProvider
from .processes import LLMPROXY, MANAGEMENT_TOKEN, ROOT, environment, free_port, start

PATIENCE = 120.0

PEOPLE: dict[str, dict[str, Any]] = {
    "bob": {"name": "Bob", "email": "bob@example.com", "email_verified": True, "groups": ["eng"]},
    "eve": {"name": "Eve", "email": "eve@example.com", "email_verified": True, "groups": []},
}

CONFIG = """
default_api: openai
apis:
  openai:
    base_url: http://127.0.0.1:{upstream}
    dialect: openai
    allowed_endpoints: [/v1/responses, /v1/models]
    allowed_methods: [GET, POST]
  anthropic:
    base_url: http://127.0.0.1:{upstream}
    dialect: anthropic
    allowed_endpoints: [/v1/messages, /v1/messages/count_tokens]
    allowed_methods: [POST]
identity:
  providers:
    - name: corp
      label: Corporate account
      issuer: {issuer}
      client_id: llmproxy
      client_secret: ${{OIDC_CLIENT_SECRET}}
      scopes: [openid, profile, email, groups]
      check_every: 1s
      check_grace: off
  rules:
    - {{match: {{groups: eng}}, project: engineering}}
agents:
  claude:
    api: anthropic
    models:
      - {{groups: [eng], models: [{{id: claude-sonnet-4-5, display_name: Sonnet of engineering}}]}}
    settings:
      - {{groups: [eng], settings: {{model: claude-sonnet-4-5}}}}
  codex: {{api: openai}}
  sign_in: {sign_in}
"""


def _value(content: bytes) -> Any:
    try:
        return json.loads(content or b"null")
    except ValueError:
        return content.decode()


class SignInTestCase(BrowserTestCase):
    """
    A proxy, a provider, an upstream, and what people do.

    @cvar sign_in: what the configuration says of it.
    """

    sign_in = "on"

    def setUp(self) -> None:
        for why in (oidcprovider.why_not(), browser.why_not()):
            if why:
                raise SkipTest(why)
        super().setUp()
        self.directory = os.path.abspath(self.mktemp())
        self.home = os.path.join(self.directory, "home")
        os.makedirs(self.home)
        upstream, port = free_port(), free_port()
        self.address = f"http://127.0.0.1:{port}"
        log = os.path.join(self.directory, "upstream.log")
        self.begin("upstream", (sys.executable, "-m", "tests.integration.agentupstream", str(upstream), log))
        self.provider = OidcProvider(os.path.join(self.directory, "provider"), self.address, PEOPLE)
        self.addCleanup(self.provider.stop)
        config = os.path.join(self.directory, "apis.yaml")
        Path(config).write_text(CONFIG.format(upstream=upstream, issuer=self.provider.issuer, sign_in=self.sign_in))
        listen = f"tcp:{port}:interface=127.0.0.1"
        self.begin("proxy", (*LLMPROXY, "serve", "--config", config, "--listen", listen, "--admin-ui"))
        self.until(lambda: self.ask("GET", "/ready")[0] == 200)
        made = self.manage("POST", "/projects", {"name": "engineering", "api_key": "sk-upstream-key-0123456789"})
        self.manage("PATCH", f"/projects/{made['id']}", {"api_keys": {"anthropic": "sk-upstream-key-0123456789"}})

    def begin(self, name: str, command: tuple[str, ...]) -> None:
        directory = os.path.join(self.directory, name)
        os.mkdir(directory)
        process = start(
            command,
            directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_PATH="proxy.db",
            AUDIT_STORE_IN_DB="true",
            OIDC_CLIENT_SECRET=SECRET,
            PYTHONPATH=str(ROOT),
        )
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)

    def until(self, condition: Any) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            if time.monotonic() > end:
                raise AssertionError(Path(self.directory, "proxy", "stderr").read_text()[-3000:])
            time.sleep(0.1)

    def _hold(self) -> None:
        """Pages are of two origins here; the policy of ours is kept all the same."""
        self.assertEqual([each for each in self.complaints if self.address in each], [])

    def page(self) -> Any:
        page = self.open()
        page.set_default_timeout(PATIENCE * 1000)
        own = (self.address, self.provider.issuer)
        page.context.route(lambda url: not url.startswith(own), lambda route: route.abort())
        return page

    def ask(self, method: str, path: str, token: str = "", body: Any = None, form: Any = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        fields = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        if form is not None:
            content, fields["Content-Type"] = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
        request = urllib.request.Request(self.address + path, content, fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _value(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _value(error.read())

    def manage(self, method: str, path: str, body: Any = None) -> Any:
        status, said = self.ask(method, f"/manage{path}", MANAGEMENT_TOKEN, body)
        self.assertIn(status, (200, 201, 204), said)
        return said

    # -- what a person does

    def environment(self) -> dict[str, str]:
        return environment(HOME=self.home, XDG_CONFIG_HOME=os.path.join(self.home, ".config"))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of ours, by somebody who has no token."""
        return subprocess.run(
            (*LLMPROXY, *words),
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def login(self, login: str, decide: Any) -> tuple[int, str]:
        """C{llmproxy login}, and a browser elsewhere in which somebody decides."""
        process = subprocess.Popen(
            (*LLMPROXY, "login", "--url", self.address, "--device-name", "laptop"),
            cwd=self.home,
            env=self.environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        self.waiting = process
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"Open (\S+) and enter the code (\S+)", said)
        assert found is not None, said
        page = self.page()
        page.goto(found[1])
        page.fill("#user_code", found[2].lower())
        page.click("text=Go on")
        self.assertIn("laptop", page.inner_text("main"))
        self.assertEqual(self.axe(page), [])
        page.click("text=Go on with Corporate account")
        page.fill("[name=login]", login)
        page.fill("[name=password]", "any")
        page.click("[type=submit]")
        page.wait_for_url(re.compile(f"{self.address}/device/.*"))
        decide(page, found[2])
        rest = process.communicate(timeout=PATIENCE)[1]
        return process.returncode, rest

    def let_in(self, page: Any, code: str) -> None:
        text = page.inner_text("main")
        for words in ("Bob", "bob@example.com", "llmproxy/", "laptop", "127.0.0.1", code):
            self.assertIn(words, text, words)
        self.assertEqual(self.axe(page), [])
        self.assertFalse(self.overflows(page))
        page.click("[value=allow]")
        self.assertIn("was let in", page.inner_text("h1"))

    def refuse(self, page: Any, code: str) -> None:
        page.click("[value=deny]")
        self.assertIn("was refused", page.inner_text("h1"))

    def claude(self) -> tuple[int, str]:
        """Claude Code, with what our command has written for it."""
        written = self.command("agents", "claude", "--url", self.address, "--sign-in", "--write")
        self.assertEqual(written.returncode, 0, written.stderr)
        command = (str(CLAUDE), "-p", "Say hello", "--model", "claude-sonnet-4-5")
        return self.program(command, CLAUDE_CODE_MAX_RETRIES="1")

    def codex(self) -> tuple[int, str]:
        words = ("agents", "codex", "--url", self.address, "--sign-in", "--model", "gpt-5-codex", "--write")
        written = self.command(*words)
        self.assertEqual(written.returncode, 0, written.stderr)
        return self.program((str(CODEX), "exec", "--skip-git-repo-check", "Say hello"))

    def program(self, command: tuple[str, ...], **more: str) -> tuple[int, str]:
        own = {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": os.path.join(self.home, ".config")}
        found = Island(alone=False).run(command, self.home, **own, **more)
        return found.returncode, found.stdout + found.stderr


class SignInTests(SignInTestCase):
    def test_signed_in(self) -> None:
        """From a code to an answer of Claude Code and of Codex, and to the end of it when the person is shut out."""
        status, said = self.login("bob", self.let_in)
        self.assertEqual(status, 0, said)
        printed = self.command("auth", "print-token", "--url", self.address)
        self.assertEqual(printed.returncode, 0, printed.stderr)
        token = printed.stdout.strip()
        status, models = self.ask("GET", "/anthropic/v1/models", token)
        self.assertEqual((status, models["data"][0]["display_name"]), (200, "Sonnet of engineering"))
        status, settings = self.ask("GET", "/anthropic/managed/settings", token)
        self.assertEqual((status, settings["settings"]), (200, {"model": "claude-sonnet-4-5"}))
        if not agentprograms.why_not():
            self.assertEqual(self.claude(), (0, f"{HELLO}\n"))
            status, said = self.codex()
            self.assertIn(HELLO, said)
        [person] = self.manage("GET", "/people")
        kept = json.loads(Path(self.home, ".config", "llmproxy", "credentials.json").read_text())
        self.manage("POST", f"/people/{person['id']}/revoke")
        self.assertEqual(self.ask("POST", "/anthropic/v1/messages", token, {})[0], 401)
        form = {"grant_type": "refresh_token", "refresh_token": kept["proxies"][self.address]["refresh_token"]}
        status, said = self.ask("POST", "/oauth/token", form=form)
        self.assertEqual((status, said["error"]), (401, "invalid_grant"))
        if not agentprograms.why_not():
            status, said = self.claude()
            self.assertNotEqual(status, 0)
            self.assertIn("401", said)
        actions = json.dumps(self.manage("GET", "/audit"))
        for action in ("device.allow", "device.token", "corp:bob@example.com"):
            self.assertIn(action, actions, action)
        self.assertNotIn(token, actions)

    def test_out_at_the_provider(self) -> None:
        """
        As a token is refreshed the provider is asked: while it is away nobody is let in or put out, and who is nobody
        there any more is out here.
        """
        status, said = self.login("bob", self.let_in)
        self.assertEqual(status, 0, said)
        kept = json.loads(Path(self.home, ".config", "llmproxy", "credentials.json").read_text())
        refresh = kept["proxies"][self.address]["refresh_token"]
        pairs = []
        for _ in range(2):
            time.sleep(1.1)
            status, pair = self.refreshed(refresh)
            self.assertEqual(status, 200, pair)
            refresh = pair["refresh_token"]
            pairs.append(pair)
        [person] = self.manage("GET", "/people")
        [device] = self.manage("GET", f"/people/{person['id']}/devices")
        self.assertIsNotNone(device["checked_at"])
        self.provider.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(1.1)
            status, said = self.refreshed(refresh)
        finally:
            self.provider.process.send_signal(signal.SIGCONT)
        self.assertEqual((status, said["error"]), (503, "temporarily_unavailable"))
        status, pair = self.refreshed(refresh)
        self.assertEqual(status, 200, pair)
        self.provider.disable("bob")
        time.sleep(1.1)
        status, said = self.refreshed(pair["refresh_token"])
        log = Path(self.directory, "proxy", "stderr")
        self.assertEqual((status, said["error"]), (401, "invalid_grant"), log.read_text()[-2000:])
        self.assertEqual(self.ask("POST", "/anthropic/v1/messages", pair["access_token"], {})[0], 401)
        [device] = self.manage("GET", f"/people/{person['id']}/devices")
        self.assertEqual(device["ended_because"], "provider")

    def test_two_sessions(self) -> None:
        """
        Two sessions that refresh at the same moment do not both ask a provider that takes each refresh token once: it
        would end the sign-in, as it does where that is stolen.
        """
        status, said = self.login("bob", self.let_in)
        self.assertEqual(status, 0, said)
        kept = json.loads(Path(self.home, ".config", "llmproxy", "credentials.json").read_text())
        refresh = kept["proxies"][self.address]["refresh_token"]
        for number in range(4):
            time.sleep(1.1)
            with ThreadPoolExecutor(3) as sessions:
                found = list(sessions.map(self.refreshed, [refresh] * 3))
            pairs = [said for status, said in found if status == 200]
            with row(self, number, found):
                self.assertEqual(len(pairs), 1)
                self.assertLessEqual({status for status, _ in found}, {200, 401, 503})
            refresh = pairs[0]["refresh_token"]
        [person] = self.manage("GET", "/people")
        [device] = self.manage("GET", f"/people/{person['id']}/devices")
        self.assertIsNone(device["ended_because"])

    def refreshed(self, refresh_token: str) -> tuple[int, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.ask("POST", "/oauth/token", form=form)

    def test_refused(self) -> None:
        """Who refuses gives nothing, and the program says so."""
        status, said = self.login("bob", self.refuse)
        self.assertEqual(status, 4, said)
        self.assertIn("refused to let this program in", said)

    def test_nobody(self) -> None:
        """Whom no rule lets in reads so, and decides nothing."""

        def not_granted(page: Any, code: str) -> None:
            self.assertIn("nothing here is granted to you", page.inner_text("main"))
            self.waiting.kill()

        status, _ = self.login("eve", not_granted)
        self.assertNotEqual(status, 0)
        self.assertFalse(Path(self.home, ".config", "llmproxy", "credentials.json").exists())
