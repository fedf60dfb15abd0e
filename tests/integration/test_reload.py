"""Reloads of real processes: by signal, by management, by a watch; alone and with workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.tables import row

from .certificates import Authority
from .processes import LLMPROXY, MANAGEMENT_TOKEN, free_port, start

CONFIG = """default_api: x
apis:
  x:
    base_url: http://127.0.0.1:{upstream}/{name}
    allowed_endpoints: [/v1]
    allowed_methods: [GET]
    auth: none
"""

PATIENCE = 30.0
"""Seconds, beyond which something hangs."""


class Upstream(BaseHTTPRequestHandler):
    """Answers with the path that it was asked for; C{/slow} in two halves, of which the second waits for a word."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        body = self.path.encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:1])
        if self.path.endswith("slow"):
            self.wfile.flush()
            self.release.wait(PATIENCE)
        self.wfile.write(body[1:])

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that the proxy has closed is no error."""


class ReloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.upstream = Server(("127.0.0.1", 0), Upstream)
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        Upstream.release.clear()
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.port = free_port()
        self.before: Callable[[], object] = lambda: self.write("one")

    def write(self, name: str) -> None:
        """The configuration whose answers begin with C{name}."""
        self.write_text(CONFIG.format(upstream=self.upstream.server_port, name=name))

    def write_text(self, text: str) -> None:
        with open(os.path.join(self.directory, "apis.yaml"), "w") as file:
            file.write(text)

    def serve(self, *more: str) -> subprocess.Popen[str]:
        self.before()
        listen = ("--config", "apis.yaml", "--listen", f"tcp:{self.port}:interface=127.0.0.1", "--access-log", "log")
        process = start(
            (*LLMPROXY, "serve", *listen, *more),
            self.directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_PATH="proxy.db",
            AUDIT_ENABLED="false",
        )
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        self.until(lambda: self.ask("GET", "/ready")[0] == 200)
        project = self.manage("POST", "/projects", {"name": "p", "api_key": "sk-upstream-key-0123456789"})
        self.token = self.manage("POST", "/tokens", {"project_id": project["id"], "duration_minutes": 60})["token"]
        return process

    def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, bytes]:
        """Status and body; 0 where nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), fields)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def manage(self, method: str, path: str, body: Any = None) -> Any:
        status, content = self.ask(method, f"/manage{path}", MANAGEMENT_TOKEN, body)
        assert status < 300, content
        return json.loads(content)

    def served(self) -> bytes:
        return self.ask("GET", "/v1/a", self.token)[1]

    def write_sink(self, name: str) -> None:
        """The configuration of C{one} with a sink that writes a file."""
        text = CONFIG.format(upstream=self.upstream.server_port, name="one")
        sink = f"sinks:\n- {{name: {name}, type: file, path: {name}.jsonl, flush_interval: 100ms}}\n"
        self.write_text(text + sink)

    def events(self, name: str) -> int:
        try:
            with open(os.path.join(self.directory, f"{name}.jsonl")) as file:
                return len(file.readlines())
        except OSError:
            return 0

    def sink_is_changed(self, *more: str) -> None:
        self.before = lambda: self.write_sink("first")
        process = self.serve(*more)
        self.assertEqual(self.served(), b"/one/v1/a")
        self.until(lambda: self.events("first") >= 1)
        self.write_sink("second")
        found = self.manage("POST", "/config/reload")
        self.assertEqual((found["changed"], found["needs_restart"]), (["sinks"], []))
        first = self.events("first")
        for _ in range(8):
            self.served()
        self.until(lambda: self.events("second") >= 8)
        self.assertEqual(self.events("first"), first)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_sinks(self) -> None:
        """Events go to the sinks of the configuration that holds."""
        self.sink_is_changed()

    def test_sinks_of_workers(self) -> None:
        """In all workers."""
        self.sink_is_changed("--workers", "2")

    def test_certificates(self) -> None:
        """
        One more certificate and authorities for those of clients are taken by a reload, in all workers; what cannot be
        served is refused, and nothing changes.
        """
        for workers in ("1", "2"):
            with row(workers):
                self.port, self.tls_port = free_port(), free_port()
                self.directory = self.mktemp()
                os.mkdir(self.directory)
                authority = Authority(os.path.join(self.directory, "ca"))
                one, two = authority.issue("localhost"), authority.issue("two.example")
                self.before = lambda pairs=(one,): self.write_certificates(*pairs)
                process = self.serve("--listen", f"tls:{self.tls_port}:interface=127.0.0.1", "--workers", workers)
                self.assertIn(("DNS", "localhost"), self.names("two.example", authority))
                self.write_certificates(one, two)
                self.assertEqual(self.manage("POST", "/config/reload")["changed"], ["tls"])
                self.until(lambda: self.has("two.example", authority))
                self.assertIn(("DNS", "localhost"), self.names("localhost", authority))
                self.write_certificates(one, (two[0], "none.pem"))
                status, content = self.ask("POST", "/manage/config/reload", MANAGEMENT_TOKEN)
                self.assertEqual(status, 422, content)
                self.assertIn(b"none.pem", content)
                self.assertIn(("DNS", "two.example"), self.names("two.example", authority))
                process.terminate()
                self.assertEqual(process.wait(PATIENCE), 0)

    def write_certificates(self, *pairs: tuple[str, str]) -> None:
        listed = ", ".join(f"{{cert: {os.path.abspath(cert)}, key: {os.path.abspath(key)}}}" for cert, key in pairs)
        text = CONFIG.format(upstream=self.upstream.server_port, name="one")
        self.write_text(f"{text}tls: {{certificates: [{listed}]}}\n")

    def has(self, name: str, authority: Authority) -> bool:
        """Whether all workers have its certificate: asked often enough that each has been."""
        return all(("DNS", name) in self.names(name, authority) for _ in range(8))

    def names(self, asked: str, authority: Authority) -> Any:
        """Those of the certificate that a client gets who asks for a name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(authority.ca_file)
        with (
            socket.create_connection(("127.0.0.1", self.tls_port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=asked) as connection,
        ):
            return dict(connection.getpeercert() or {})["subjectAltName"]

    def until(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), ends, self.said())
            time.sleep(0.05)

    def said(self) -> str:
        with open(os.path.join(self.directory, "stderr")) as file:
            return file.read()

    def test_signal(self) -> None:
        """
        C{SIGHUP} reloads, alone and with workers: what is new sees the new configuration, what runs keeps its own, a
        broken file changes nothing and is named in the log.
        """
        for workers in ("1", "2"):
            with row(self, workers):
                self.port = free_port()
                self.directory = self.mktemp()
                os.mkdir(self.directory)
                Upstream.release.clear()
                process = self.serve("--workers", workers)
                self.assertEqual(self.served(), b"/one/v1/a")
                slow: list[bytes] = []
                running = threading.Thread(target=lambda: slow.append(self.ask("GET", "/v1/slow", self.token)[1]))
                running.start()
                time.sleep(0.3)
                self.write("two")
                process.send_signal(signal.SIGHUP)
                self.until(lambda: self.served() == b"/two/v1/a")
                self.write_text("apis: [\n")
                process.send_signal(signal.SIGHUP)
                self.until(lambda: "everything stays as it was" in self.said())
                self.assertIn("apis.yaml", self.said())
                # Often enough that each worker has been asked.
                self.assertEqual({self.served() for _ in range(20)}, {b"/two/v1/a"})
                Upstream.release.set()
                running.join(PATIENCE)
                self.assertEqual(slow, [b"/one/v1/slow"])
                process.terminate()
                self.assertEqual(process.wait(PATIENCE), 0)

    def test_management(self) -> None:
        """The command and the API reload all workers, say what has changed and what waits for the next start."""
        for workers in ("1", "2"):
            with row(self, workers):
                self.port = free_port()
                self.directory = self.mktemp()
                os.mkdir(self.directory)
                process = self.serve("--workers", workers)
                self.write("two")
                with open(os.path.join(self.directory, "apis.yaml"), "a") as file:
                    file.write("ledger: {keep_records: 5d}\n")
                env = {**os.environ, "MANAGEMENT_TOKEN": MANAGEMENT_TOKEN}
                base = f"http://127.0.0.1:{self.port}"
                done = subprocess.run(
                    (*LLMPROXY, "--manage-api-base-url", base, "reload"), env=env, capture_output=True, text=True
                )
                words = "changed: apis.x; takes effect at the next start only: ledger.keep_records\n"
                self.assertEqual(done.stdout, words, done.stderr)
                self.assertEqual({self.served() for _ in range(20)}, {b"/two/v1/a"})
                shown = self.manage("GET", "/config")
                self.assertEqual(shown["file"], "apis.yaml")
                self.assertTrue(shown["configuration"]["apis"]["x"]["base_url"].endswith("/two"))
                self.assertNotIn(MANAGEMENT_TOKEN, json.dumps(shown))
                self.write_text("apis: {x: {base_url: 5}}\n")
                status, content = self.ask("POST", "/manage/config/reload", MANAGEMENT_TOKEN)
                self.assertEqual(status, 422)
                self.assertIn(b"base_url", content)
                self.assertEqual(self.served(), b"/two/v1/a")
                process.terminate()
                self.assertEqual(process.wait(PATIENCE), 0)

    def test_replaced_worker(self) -> None:
        """A worker that dies after a reload comes back with what was reloaded."""
        process = self.serve("--workers", "2")
        self.write("two")
        process.send_signal(signal.SIGHUP)
        self.until(lambda: self.served() == b"/two/v1/a")
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            children = file.read().split()
        for pid in children:
            os.kill(int(pid), signal.SIGKILL)
        self.until(lambda: self.served() == b"/two/v1/a")
        self.assertEqual({self.served() for _ in range(20)}, {b"/two/v1/a"})

    def test_watch(self) -> None:
        """A file that changes is read by itself, with workers too; one that is broken changes nothing."""
        self.serve("--workers", "2", "--watch")
        self.write("two")
        self.until(lambda: self.served() == b"/two/v1/a")
        self.write_text("apis: [\n")
        self.until(lambda: "everything stays as it was" in self.said())
        self.write("three")
        self.until(lambda: self.served() == b"/three/v1/a")
