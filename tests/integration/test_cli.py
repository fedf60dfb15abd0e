"""Commands against a real proxy in another process: a day of an operator's, and a conversation in a terminal."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli

from .processes import LLMPROXY, ROOT, run, start, wait_for_text
from .terminal import Terminal

_VARIABLES = (
    "MANAGEMENT_TOKEN",
    "MANAGEMENT_TOKEN_FILE",
    "MANAGE_API_BASE_URL",
    "MANAGEMENT_API_BASE_URL",
    "PROXY_TOKEN",
    "PROXY_URL",
    "DATABASE_URL",
    "DATABASE_PATH",
    "AUDIT_LOG_FILE",
)


def invoke(directory: str, *arguments: str, input: str | None = None, **env: str) -> Result:
    before = os.getcwd()
    os.chdir(directory)
    try:
        return CliRunner().invoke(cli, arguments, input=input, env=dict.fromkeys(_VARIABLES) | env)
    finally:
        os.chdir(before)


@cache
def quickstart() -> str:
    """The directory of one that is started by the first who asks, and ends with this process."""
    directory = tempfile.mkdtemp(prefix="llmproxy-")
    process = start((*LLMPROXY, "quickstart", "--port", "0"), directory)

    def end() -> None:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(directory)

    atexit.register(end)
    wait_for_text(os.path.join(directory, "stdout"), "Stop with Ctrl-C", process)
    return directory


class QuickstartTests(SynchronousTestCase):
    """A proxy that was started with nothing, and commands that find it by what it left in its directory."""

    def setUp(self) -> None:
        self.directory = quickstart()

    def ok(self, *arguments: str, **more: Any) -> str:
        result = invoke(self.directory, *arguments, **more)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.stdout

    def said(self, *arguments: str, **more: Any) -> Any:
        return json.loads(self.ok(*arguments, "--json", **more))

    def test_readme(self) -> None:
        """README's five lines print a text, with the address and token that quickstart made."""
        block = re.search(r"```python\n(from openai.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        assert block is not None
        self.assertEqual(len([line for line in block[1].splitlines() if line]), 4)
        kept = Path(self.directory, "llmproxy-data")
        address, token = (Path(kept, name).read_text().strip() for name in ("address", "token"))
        code = block[1].replace("http://127.0.0.1:8080", address).replace("sk-your-withering-token", token)
        ended = run((sys.executable, "-c", code), self.directory)
        self.assertEqual((ended.stdout, ended.stderr), ("You said: Hello", ""))

    def test_a_day(self) -> None:
        """A project and a token are made and used, the token is revoked and refused, and the trail tells all of it."""
        key = Path(self.directory, "llmproxy-data", "demo-upstream-key").read_text()
        project = self.said("project", "create", "--name", "day", "--api-key", "-", input=key)["id"]
        token = self.said("token", "create", "--project-id", project, "--duration", "1h")
        self.assertEqual(self.ok("chat", "good morning", PROXY_TOKEN=token["token"]), "You said: good morning\n")
        self.assertIn(token["id"], self.ok("token", "list", "--project-id", project))
        self.assertIn("is revoked", self.ok("token", "revoke", token["id"]))
        refused = invoke(self.directory, "chat", "still there?", PROXY_TOKEN=token["token"])
        self.assertEqual((refused.exit_code, refused.stdout), (4, ""))
        events = self.said("audit", "list", "--token-id", token["id"])
        self.assertEqual(
            [(each["action"], each["outcome"], each["actor"]) for each in events],
            [
                ("token.validate", "denied", "anonymous"),
                ("token.revoke", "success", "management_api"),
                ("token.create", "success", "management_api"),
            ],
        )
        self.assertTrue(all(each["client_ip"] == "127.0.0.1" and each["request_id"] for each in events))
        self.assertNotIn(token["token"], Path(self.directory, "llmproxy-data", "audit.log").read_text())
        self.assertIn("Everything is in order.", self.ok("audit", "verify"))

    def test_refusals(self) -> None:
        """What is wrong with the management token, the address or an id is told by the status."""
        for arguments, env, code in (
            (("project", "list"), {"MANAGEMENT_TOKEN": "wrong"}, 4),
            (("project", "get", "nope"), {}, 3),
            (("project", "list", "--manage-api-base-url", "http://127.0.0.1:1"), {}, 5),
            (("project", "list", "--manage-api-base-url", "unix:/nowhere.sock"), {}, 5),
            (("project", "list", "--nope"), {}, 2),
        ):
            self.assertEqual(invoke(self.directory, *arguments, **env).exit_code, code, arguments)

    def test_flood(self) -> None:
        """A stranger who tries and tries again is in the trail once a minute, not a thousand times."""
        address = Path(self.directory, "llmproxy-data", "address").read_text().strip()
        for _ in range(40):
            with self.assertRaises(urllib.error.HTTPError):
                urllib.request.urlopen(f"{address}/v1/models?key=sk-AAAAAAAAAAAAAAAAAAAAAB", timeout=10)
        found = self.said("audit", "list", "--action", "token.validate", "--search", "token_not_found", "-n", "100")
        self.assertEqual(len(found), 1)

    def test_terminal(self) -> None:
        """Lines can be edited, Ctrl-C stops the answer and not the program, and the history is its owner's alone."""
        terminal = Terminal((*LLMPROXY, "chat", "--history", "history"), self.directory)
        self.addCleanup(terminal.close)
        terminal.wait_for("> ")
        terminal.type("hallo\x7f\x7f\x7f\x7fello\n")
        terminal.wait_for("You said: hello")
        terminal.wait_for("> ")
        terminal.type(" ".join(f"w{number}" for number in range(500)) + "\n")
        terminal.wait_for("You said: w0 w1")
        terminal.type("\x03")
        terminal.wait_for("Stopped.")
        self.assertNotIn("w499\r\n> ", terminal.seen[terminal.seen.index("You said: w0") :])
        terminal.wait_for("> ")
        terminal.type("one more\n")
        terminal.wait_for("You said: one more")
        terminal.type("exit\n")
        self.assertEqual(terminal.process.wait(30), 0)
        path = Path(self.directory, "history")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertIn("one more", path.read_text())


class SetupTests(SynchronousTestCase):
    def test_from_nothing_to_a_sound_trail(self) -> None:
        """What setup wrote starts; two workers write one log, also when one of them is killed; nothing is missed."""
        # Not in the test's own directory: the path of a Unix socket is short.
        directory = tempfile.mkdtemp(prefix="llmproxy-")
        self.addCleanup(shutil.rmtree, directory)
        made = invoke(directory, "setup", "--non-interactive", "--api-key", "-", "--token-file", "token", input="key")
        self.assertEqual(made.exit_code, 0, made.output)
        options = ("serve", "--env", ".env", "--workers", "2", "--listen", "unix:proxy.sock", "--access-log", "log")
        process = start((*LLMPROXY, *options), directory)
        self.addCleanup(process.kill)
        socket = f"unix:{directory}/proxy.sock"
        env = {"MANAGE_API_BASE_URL": socket} | _secrets(directory)
        deadline = time.monotonic() + 60
        while Path(directory, "stderr").read_text().count("workers: 2 (processes") < 1:
            self.assertLess(time.monotonic(), deadline, Path(directory, "stderr").read_text())
            time.sleep(0.05)
        # The parent takes a worker that is killed before it has said that it serves for one that cannot start.
        time.sleep(0.5)
        names = [f"p{number}" for number in range(8)]
        for number, name in enumerate(names):
            if number == 4:
                # What was noted before is in the log, however soon it is written after the answer.
                time.sleep(0.5)
                os.kill(_worker(process.pid), signal.SIGKILL)
            created = invoke(directory, "project", "create", "--name", name, "--api-key", "-", input="k", **env)
            if created.exit_code == 5:
                # Whoever waited to be served by the one that was killed asks again.
                created = invoke(directory, "project", "create", "--name", name, "--api-key", "-", input="k", **env)
            self.assertEqual(created.exit_code, 0, created.output + Path(directory, "stderr").read_text())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)
        verified = invoke(directory, "audit", "verify", "--env", ".env", "--json")
        self.assertEqual(verified.exit_code, 0, verified.output)
        written = Path(directory, "data", "audit.log").read_text()
        self.assertEqual([name for name in names if f'"project_name":"{name}"' not in written], [])


def _secrets(directory: str) -> dict[str, str]:
    lines = Path(directory, ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("MANAGEMENT_TOKEN="))


def _worker(parent: int) -> int:
    """One of its children."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(children[-1])
