"""Starting under twistd: what a wrong setting gets, in the foreground and in the background."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess

from twisted.trial.unittest import SynchronousTestCase

from .processes import LLMPROXY, MANAGEMENT_TOKEN, TWISTD, environment, free_port, run, start, wait_for_text
from .terminal import take_terminal

CONFIG = """\
default_api: a
apis:
  a: {base_url: http://127.0.0.1:1, allowed_endpoints: [/v1], allowed_methods: [GET]}
"""
KEYS = {
    "MANAGEMENT_TOKEN": MANAGEMENT_TOKEN,
    "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


class StartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        Path(self.file("apis.yaml")).write_text(CONFIG)
        self.busy = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.busy.close)
        self.taken = f"tcp:{self.busy.getsockname()[1]}:interface=127.0.0.1"

    def file(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def twistd(self, *options: str, background: bool = False, **more: str) -> CompletedProcess[str]:
        first = ("--pidfile", "t.pid", "--logfile", "t.log") if background else ("-n", "--pidfile", "t.pid")
        options = ("--config", "apis.yaml", "--database", "sqlite:///d.db", *options)
        return run((*TWISTD, *first, "llmproxy", *options), self.directory, **(KEYS | more))

    def assert_one_line(self, ended: CompletedProcess[str], words: str) -> None:
        self.assertEqual((ended.returncode, len(ended.stderr.splitlines())), (1, 1), ended.stderr + ended.stdout)
        self.assertIn(words, ended.stderr)
        self.assertNotIn("Traceback", ended.stdout)
        self.assertFalse(os.path.exists(self.file("t.pid")))

    def test_what_is_wrong_is_one_line(self) -> None:
        """A port in use, a database that cannot be opened, a file that is not there: one line on stderr, status 1."""
        self.assert_one_line(self.twistd("--listen", self.taken), "cannot listen: Address already in use")
        self.assert_one_line(self.twistd("--database", "sqlite:////proc/none/d.db"), "cannot open")
        self.assert_one_line(self.twistd("--config", "none.yaml"), "none.yaml: cannot be read: No such file")
        self.assert_one_line(self.twistd("--listen", "bogus:1"), "bogus")
        self.assert_one_line(self.twistd(ENCRYPTION_KEY="c2hvcnQ="), "must be exactly 32 bytes, got 5")
        self.assert_one_line(self.twistd(MANAGEMENT_TOKEN=""), "MANAGEMENT_TOKEN: is required")

    def test_another_key_than_the_databases(self) -> None:
        """A wrong encryption key for this database is told at the start, not with each request."""
        port = free_port()
        process = start((*LLMPROXY, "serve", *self.options(port)), self.directory, **KEYS)
        self.addCleanup(process.kill)
        self.wait_until_ready(port)
        body = b'{"name": "p", "api_key": "sk-real"}'
        headers = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/manage/projects", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertEqual(answer.status, 201)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        other = "OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg="
        self.assert_one_line(self.twistd("--listen", "tcp:0", ENCRYPTION_KEY=other), "key")

    def test_in_the_background(self) -> None:
        """twistd ends with 1 and the reason if the port is taken; with 0 only when the port is open."""
        ended = self.twistd("--listen", self.taken, background=True)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertIn("cannot listen: Address already in use", ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        port = free_port()
        ended = self.twistd("--listen", f"tcp:{port}:interface=127.0.0.1", background=True)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        pid = int(Path(self.file("t.pid")).read_text())
        self.addCleanup(_end, pid)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10) as answer:
            self.assertEqual(answer.status, 200)

    def test_ends_well(self) -> None:
        """Ctrl-C, SIGTERM and a closed terminal end `llmproxy serve` with status 0 and without a traceback."""
        for stop, workers in ((signal.SIGINT, "1"), (signal.SIGTERM, "1"), (signal.SIGHUP, "1"), (signal.SIGHUP, "2")):
            port = free_port()
            command = (*LLMPROXY, "serve", *self.options(port), "--workers", workers)
            # Without a terminal SIGHUP would have it read its configuration again.
            process = self.in_terminal(command) if stop == signal.SIGHUP else start(command, self.directory, **KEYS)
            self.addCleanup(process.kill)
            self.wait_until_ready(port)
            process.send_signal(stop)
            self.assertEqual(process.wait(30), 0, (stop, workers))
            told = Path(self.file("stderr")).read_text()
            self.assertNotIn("Traceback", told)
            self.assertIn("Main loop terminated", told)

    def in_terminal(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """A process that has a controlling terminal; what it says goes to files all the same."""
        outer, inner = pty.openpty()
        self.addCleanup(os.close, outer)
        try:
            with open(self.file("stdout"), "w") as out, open(self.file("stderr"), "w") as err:
                return subprocess.Popen(
                    command,
                    cwd=self.directory,
                    env=environment(**KEYS),
                    stdin=inner,
                    stdout=out,
                    stderr=err,
                    text=True,
                    start_new_session=True,
                    preexec_fn=lambda: take_terminal(),
                )
        finally:
            os.close(inner)

    def test_read_only_directory(self) -> None:
        """
        Where nothing can be made in the working directory, it starts, with its audit file beside the database; where
        that file would be in the working directory too, it says in a line what goes without.
        """
        port, beside = free_port(), self.file("d.db.audit.log")
        places: tuple[tuple[str, dict[str, str], str], ...] = (
            (self.file("d.db"), {}, ""),
            ("sqlite:///:memory:", {}, "go to the database alone"),
            ("sqlite:///:memory:", {"AUDIT_LOG_FILE": "-"}, ""),
        )
        for database, place, told in places:
            options = ["--config", self.file("apis.yaml"), "--database", database]
            with open(self.file("stdout"), "w") as out, open(self.file("stderr"), "w") as err:
                process = subprocess.Popen(
                    [*LLMPROXY, "serve", *options, "--listen", f"127.0.0.1:{port}"],
                    cwd="/proc",
                    env=environment(**KEYS, **place),
                    stdout=out,
                    stderr=err,
                )
            self.addCleanup(process.kill)
            self.wait_until_ready(port)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0, (database, place))
            log = Path(self.file("stderr")).read_text()
            self.assertEqual(log.count("AUDIT_LOG_FILE"), 2 if told else 0, log)
            self.assertIn(told, log)
            self.assertEqual("audit.start" in Path(self.file("stdout")).read_text(), bool(place), (database, place))
        self.assertIn("audit.start", Path(beside).read_text())

    def test_other_reactors(self) -> None:
        """Whatever reactor twistd is told to install, exchanges go through and the process ends by a signal."""
        upstream = _Server(("127.0.0.1", 0), _Upstream)
        self.addCleanup(upstream.server_close)
        self.addCleanup(upstream.shutdown)
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        Path(self.file("apis.yaml")).write_text(CONFIG.replace("127.0.0.1:1", f"127.0.0.1:{upstream.server_port}"))
        for number, reactor in enumerate(("poll", "select", "asyncio")):
            port = free_port()
            options = ("--pidfile", "t.pid", "-r", reactor, "llmproxy", *self.options(port))
            process = start((*TWISTD, "-n", *options), self.directory, **KEYS)
            self.addCleanup(process.kill)
            self.wait_until_ready(port)
            project = _post(port, "projects", {"name": f"p{number}", "api_key": "sk-real"})
            token = _post(port, "tokens", {"project_id": project["id"], "duration_minutes": 5})["token"]
            for _ in range(3):
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/v1/x", headers={"Authorization": f"Bearer {token}"}
                )
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.assertEqual(answer.read(), b"Bearer sk-real", reactor)
            process.send_signal(signal.SIGTERM)
            self.assertIn(process.wait(30), (0, -signal.SIGTERM))
            self.assertNotIn("Traceback", Path(self.file("stdout")).read_text())
        self.assertFalse(hasattr(upstream, "failed"), "a kept connection was reset")

    def options(self, port: int) -> tuple[str, ...]:
        return ("--config", "apis.yaml", "--database", "sqlite:///d.db", "--listen", f"127.0.0.1:{port}")

    def wait_until_ready(self, port: int) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                    return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, address: object) -> None:
        """A connection that is not closed in order fails the test."""
        self.failed = True
        super().handle_error(request, address)  # type: ignore[arg-type]


class _Upstream(BaseHTTPRequestHandler):
    """Tells the credential that it gets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = (self.headers["Authorization"] or "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None: ...


def _post(port: int, what: str, body: dict[str, object]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/manage/{what}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        created: dict[str, str] = json.load(answer)
        return created


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            time.sleep(0.05)
            os.kill(pid, 0)
    except ProcessLookupError:
        pass


class QuickstartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.port = free_port()

    def started(self, **more: str) -> str:
        """Start it, and return what it printed."""
        stdout = os.path.join(self.directory, "stdout")
        Path(stdout).unlink(missing_ok=True)
        command = (*LLMPROXY, "quickstart", "--port", str(self.port))
        self.process = start(command, self.directory, **more)
        self.addCleanup(self.process.kill)
        return wait_for_text(stdout, "Stop with Ctrl-C.", self.process)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(30), 0)
        self.assertEqual(Path(self.directory, "stderr").read_text(), "")

    def between(self, text: str, first: str, last: str) -> str:
        return text.partition(first)[2].partition(last)[0].strip()

    def test_what_it_prints_works(self) -> None:
        """The curl line and the lines for the SDK work when they are pasted, after a restart too."""
        printed = self.started()
        self.assertNotIn("\x1b", printed)
        curl = run(
            ("sh", "-c", self.between(printed, "With curl:", "With the OpenAI SDK (pip install openai):")),
            self.directory,
        )
        self.assertIn("data: [DONE]", curl.stdout, curl.stderr)
        self.assertIn('"content":" there"', curl.stdout)
        lines = self.between(printed, "With the OpenAI SDK (pip install openai):", "Management:")
        self.assert_says_hello(lines)
        self.stop()
        again = self.started()
        self.assertEqual(self.between(again, "With the OpenAI SDK (pip install openai):", "Management:"), lines)
        self.assert_says_hello(lines)
        self.stop()

    def assert_says_hello(self, lines: str) -> None:
        import sys

        said = run((sys.executable, "-c", lines), self.directory)
        self.assertEqual(said.stdout, "You said: Hello there", said.stderr)

    def test_secrets_are_its_owners(self) -> None:
        """The directory and everything in it is readable by its owner only; no secret is in the access log."""
        printed = self.started()
        run(
            ("sh", "-c", self.between(printed, "With curl:", "With the OpenAI SDK (pip install openai):")),
            self.directory,
        )
        self.stop()
        data = Path(self.directory, "llmproxy-data")
        self.assertEqual(data.stat().st_mode & 0o777, 0o700)
        for path in data.iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)
        log = (data / "access.log").read_text()
        self.assertIn("/v1/chat/completions", log)
        for name in ("token", "management-token", "demo-upstream-key"):
            self.assertNotIn((data / name).read_text().strip(), log)

    def test_a_port_in_use(self) -> None:
        """It says so in a line, and how to choose another."""
        with socket.create_server(("127.0.0.1", 0)) as busy:
            port = busy.getsockname()[1]
            ended = run((*LLMPROXY, "quickstart", "--port", str(port)), self.directory)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("cannot listen: Address already in use", ended.stderr)
        self.assertIn("--port", ended.stderr.splitlines()[-1])
        self.assertNotIn("Traceback", ended.stderr)

    def test_a_real_key(self) -> None:
        """With OPENAI_API_KEY it goes to OpenAI, and the key is shown nowhere."""
        printed = self.started(OPENAI_API_KEY="sk-real-s3cret")
        self.assertIn("https://api.openai.com", printed)
        self.assertNotIn("s3cret", printed)
        self.stop()
        files = [path for path in Path(self.directory, "llmproxy-data").rglob("*") if path.is_file()]
        self.assertIn("llmproxy.db", [path.name for path in files])
        for path in files:
            self.assertNotIn(b"s3cret", path.read_bytes(), path)
