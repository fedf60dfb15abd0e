"""C{llmproxy top} in a terminal, in front of a running proxy."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import struct
import subprocess
import termios
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.livescreen import ENTER, LEAVE

from ..tables import row
from .processes import LLMPROXY, MANAGEMENT_TOKEN, environment, free_port, run, start
from .terminal import Terminal

CONFIG = """\
default_api: a
apis:
  a: {base_url: http://127.0.0.1:1, allowed_endpoints: [/v1], allowed_methods: [GET]}
"""


class TopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        Path(self.directory, "apis.yaml").write_text(CONFIG)
        self.port = free_port()
        self.env = {
            "MANAGEMENT_TOKEN": MANAGEMENT_TOKEN,
            "MANAGE_API_BASE_URL": f"http://127.0.0.1:{self.port}",
            "ENABLE_METRICS": "false",
        }
        self.serve()

    def serve(self) -> None:
        where = ("--config", "apis.yaml", "--database", "sqlite:///d.db", "--listen", f"127.0.0.1:{self.port}")
        self.proxy = start((*LLMPROXY, "serve", *where), self.directory, **self.env)
        self.addCleanup(self.stop)
        until = time.monotonic() + 60
        while not self.fetch("/ready"):
            self.assertLess(time.monotonic(), until, Path(self.directory, "stderr").read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        if self.proxy.poll() is None:
            self.proxy.terminate()
            try:
                self.proxy.wait(30)
            except subprocess.TimeoutExpired:
                self.proxy.kill()
                self.proxy.wait()

    def fetch(self, path: str, body: Any = None) -> str:
        headers = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return f"{error.code}"
        except OSError:
            return ""

    def top(self, columns: int = 100, rows: int = 30, **env: str) -> Terminal:
        terminal = Terminal((*LLMPROXY, "top"), self.directory, **{**self.env, **env})
        self.addCleanup(terminal.close)
        fcntl.ioctl(terminal._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        return terminal

    def screen(self, columns: int = 100, rows: int = 30) -> Terminal:
        """One that is a screen: what says that it is dumb is taken away."""
        command = ("env", "TERM=xterm", *LLMPROXY, "top")
        terminal = Terminal(command, self.directory, **self.env)
        self.addCleanup(terminal.close)
        fcntl.ioctl(terminal._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        return terminal

    def test_keys(self) -> None:
        """What happens is shown as it happens; q leaves, and the terminal is as it was."""
        top = self.screen()
        top.wait_for(ENTER)
        top.wait_for("running 0")
        for _ in range(5):
            self.fetch("/v1/x")
        top.wait_for("5 requests")
        top.type("p")
        top.wait_for("paused")
        top.type("p")
        top.type("s")
        top.wait_for("s sort: out")
        top.type("q")
        top.wait_for(LEAVE)
        self.assertEqual(top.process.wait(30), 0)

    def test_interrupts(self) -> None:
        """Ctrl-C and SIGTERM leave the terminal as it was, at any size."""
        for columns, rows in ((24, 5), (200, 60)):
            top = self.screen(columns, rows)
            top.wait_for("running 0")
            top.type("\x03")
            top.wait_for(LEAVE)
            with row(columns, rows):
                self.assertEqual(top.process.wait(30), 130)
        top = self.screen()
        top.wait_for("running 0")
        top.process.send_signal(signal.SIGTERM)
        top.wait_for(LEAVE)
        self.assertEqual(top.process.wait(30), 128 + signal.SIGTERM)

    def test_proxy_restarts(self) -> None:
        """A proxy that goes away is said to be away, and taken up again when it is back."""
        top = self.screen()
        top.wait_for("running 0")
        self.stop()
        top.wait_for("asked again every 2 s", 60.0)
        self.serve()
        top.wait_for("since the start:", 60.0)
        self.fetch("/v1/x")
        top.wait_for("1 requests", 60.0)
        top.type("q")
        self.assertEqual(top.process.wait(30), 0)

    def test_roles(self) -> None:
        """An auditor may watch; who is no admin, or another token, is refused with one line and the status of it."""
        made = json.loads(self.fetch("/manage/admins", {"name": "eve", "role": "auditor"}))
        result = run((*LLMPROXY, "top", "--once"), self.directory, **{**self.env, "MANAGEMENT_TOKEN": made["token"]})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("running 0", result.stdout)
        result = run((*LLMPROXY, "top"), self.directory, **{**self.env, "MANAGEMENT_TOKEN": "llmproxy_admin_nobody"})
        self.assertEqual((result.returncode, len(result.stderr.splitlines()), result.stdout), (4, 1, ""), result.stderr)

    def test_dumb(self) -> None:
        """A terminal whose cursor cannot be placed gets the lines once, without codes."""
        top = self.top()
        seen = top.wait_for("nothing now")
        self.assertNotIn("\x1b[?1049h", seen)
        self.assertEqual(top.process.wait(30), 0)

    def test_pipe(self) -> None:
        """The reader of a pipe that leaves early is no error to speak of."""
        command = ("sh", "-c", f"{shlex.join(LLMPROXY)} top --json | head -n 1")
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=environment(**self.env),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(json.loads(done.stdout)["running"], 0)
        self.assertNotIn("Traceback", done.stderr)
