"""The commands of the Go program as processes, by what its users' scripts see."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ..goschema import make, rows
from .processes import MANAGEMENT_TOKEN, free_port, run, start

OLD = (sys.executable, "-c", "import sys; sys.argv[0] = 'llm-proxy'; from llmproxy.cli import main; main()")
PATIENCE = 60.0


class ServerTests(SynchronousTestCase):
    """C{llm-proxy server}, in a directory that has what that of the Go program has."""

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.port = free_port()
        self.write(
            ".env",
            f"MANAGEMENT_TOKEN={MANAGEMENT_TOKEN}\nLISTEN_ADDR=127.0.0.1:{self.port}\nLOG_LEVEL=info\n"
            "ENABLE_STREAMING=true\nGLOBAL_RATE_LIMIT=100\nAPI_ENV=production\n",
        )

    def write(self, name: str, text: str) -> None:
        Path(self.directory, name).write_text(text)

    def answered(self, path: str) -> int:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                    return int(answer.status)
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def test_foreground(self) -> None:
        """
        It takes its settings from C{.env}, makes the database where that is, serves OpenAI's API, and logs JSON. A
        variable that means nothing is said with what to use, one that holds here anyway is not.
        """
        process = start((*OLD, "server"), self.directory)
        self.addCleanup(process.kill)
        self.assertEqual(self.answered("/health"), 200)
        said = Path(self.directory, "stderr").read_text()
        self.assertIn("GLOBAL_RATE_LIMIT: without effect here; `usage_limits`", said)
        self.assertNotIn("ENABLE_STREAMING", said)
        self.assertTrue(os.path.exists(os.path.join(self.directory, "data", "llm-proxy.db")))
        project = run((*OLD, "manage", "project", "create", "--name=a", "--openai-key=sk-0123456789"), self.directory)
        self.assertNotEqual(project.returncode, 0, "the management API is at another port: it has to be named")
        address = f"--manage-api-base-url=http://127.0.0.1:{self.port}"
        command = ("manage", "project", "create", "--name=a", "--openai-key=sk-0123456789", address)
        made = run((*OLD, *command), self.directory)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertTrue(made.stdout.startswith("ID: "), made.stdout)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 0)
        for line in Path(self.directory, "stdout").read_text().splitlines():
            self.assertIsInstance(json.loads(line), dict, line)

    def test_background(self) -> None:
        """The command ends when the server serves, the pidfile has its id, and the log what it says."""
        command = (*OLD, "server", "-d", "--log-file=logs/p.log", "--pid-file=tmp/p.pid", "--daemon=true")
        ended = run(command, self.directory)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        pid = int(Path(self.directory, "tmp/p.pid").read_text())
        self.addCleanup(self.end, pid)
        self.assertIn(f"Server started in daemon mode with PID {pid}\n", ended.stdout)
        self.assertEqual(self.answered("/health"), 200)
        self.assertIn('"level"', Path(self.directory, "logs/p.log").read_text())

    def test_background_by_variables(self) -> None:
        """The file of variables may say all of it; SIGHUP has it read its configuration again, and it goes on."""
        with open(os.path.join(self.directory, ".env"), "a") as file:
            file.write("LOG_FILE=logs/v.log\n")
        ended = run((*OLD, "server"), self.directory, DAEMON="true", PID_FILE="v.pid")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        pid = int(Path(self.directory, "v.pid").read_text())
        self.addCleanup(self.end, pid)
        os.kill(pid, signal.SIGHUP)
        log = Path(self.directory, "logs/v.log")
        until = time.monotonic() + PATIENCE
        while "nothing of it has changed" not in log.read_text():
            self.assertLess(time.monotonic(), until, log.read_text())
            time.sleep(0.1)
        self.assertEqual(self.answered("/health"), 200)

    def end(self, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and os.path.exists(f"/proc/{pid}/stat"):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.1)

    def test_background_that_cannot(self) -> None:
        """What is wrong is said by the command, which ends with 1, and no pidfile is left."""
        command = (*OLD, "server", "-d", "--log-file", "p.log", "--pid-file", "p.pid", "-c", "none.yaml")
        ended = run(command, self.directory)
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn("none.yaml: cannot be read", ended.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "p.pid")))

    def test_its_database(self) -> None:
        """The database of the Go program is left as it is, and the command that moves it in is named, and works."""
        os.mkdir(os.path.join(self.directory, "data"))
        make(path := os.path.join(self.directory, "data", "llm-proxy.db"), rows())
        before = Path(path).read_bytes()
        ended = run((*OLD, "server"), self.directory)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("llmproxy db import-go", ended.stderr)
        self.assertEqual(Path(path).read_bytes(), before)


class AdminTests(SynchronousTestCase):
    def test_pages(self) -> None:
        """C{llm-proxy admin} serves pages, which say themselves where they are."""
        os.mkdir(directory := os.path.abspath(self.mktemp()))
        port = free_port()
        process = start((*OLD, "admin", "--listen", f"127.0.0.1:{port}"), directory)
        self.addCleanup(process.kill)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/auth/login", timeout=10) as answer:
                    self.assertEqual(answer.status, 200)
                break
            except OSError:
                self.assertIsNone(process.poll(), Path(directory, "stderr").read_text())
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


class MigrateTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """C{llm-proxy migrate} makes the database of its variable, and prints what it printed."""
        os.mkdir(directory := os.path.abspath(self.mktemp()))
        for name, words in (("status", "version: 0"), ("up", "Migrations applied"), ("down", "rolled back")):
            ended = run((*OLD, "migrate", name, "--db", "data/x.db"), directory)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertIn(words, ended.stdout, name)
