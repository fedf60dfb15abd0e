"""The image of C{deploy/Dockerfile}: its steps run in a clean root, and what they made runs as with an engine."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from attrs import evolve
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from llmproxy import __version__

from ..tables import row
from .imageroot import UNFIT, Build, first_process
from .processes import MANAGEMENT_TOKEN, free_port

SECRETS = "/run/secrets"


class Slow(BaseHTTPRequestHandler):
    """An upstream whose stream has a second piece once the test says so."""

    go_on = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        self.wfile.flush()
        self.go_on.wait(60)
        self.wfile.write(b"data: two\n\ndata: [DONE]\n\n")
        self.close_connection = True

    def log_message(self, *said: Any) -> None:
        """Nothing."""


@cache
def built() -> tuple[Path, Build]:
    """The image, made once, and where it is: below /tmp, as another user has to pass all directories above it."""
    if UNFIT:
        raise SkipTest(UNFIT)
    probe = subprocess.run(("unshare", "--mount", "--pid", "--fork", "true"), capture_output=True, check=False)
    if probe.returncode:
        raise SkipTest("this root may not make namespaces")
    directory = Path(tempfile.mkdtemp(prefix="llmproxy-image-"))
    atexit.register(shutil.rmtree, directory)
    directory.chmod(0o755)
    (directory / "stages").mkdir()
    return directory, Build(directory / "stages", {})


class ImageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory, self.build = built()
        self.port = free_port()
        self.place = Path(tempfile.mkdtemp(dir=self.directory))
        self.place.chmod(0o755)
        for name in ("data", "secrets", "etc"):
            (self.place / name).mkdir()
        # A volume is its user's.
        os.chown(self.place / "data", 10001, 10001)

    def secret(self, name: str, content: str) -> None:
        path = self.place / "secrets" / name
        path.write_text(content + "\n")
        path.chmod(0o444)

    def serve(self, *options: str, secrets: bool = True, **env: str) -> subprocess.Popen[str]:
        """The image, with a root that cannot be written, and without any privilege."""
        if secrets:
            self.secret("management_token", MANAGEMENT_TOKEN)
            self.secret("encryption_key", b64encode(os.urandom(32)).decode())
            env["MANAGEMENT_TOKEN_FILE"] = f"{SECRETS}/management_token"
            env["ENCRYPTION_KEY_FILE"] = f"{SECRETS}/encryption_key"
        image = self.build.image
        mounts = {
            image.volumes[0]: (str(self.place / "data"), "rw"),
            SECRETS: (str(self.place / "secrets"), "ro"),
            "/etc/llmproxy": (str(self.place / "etc"), "ro"),
        }
        upstream = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        upstream.daemon_threads = True
        Slow.go_on.clear()
        thread = threading.Thread(target=upstream.serve_forever, args=(0.05,))
        thread.start()
        for cleanup in (upstream.server_close, thread.join, upstream.shutdown, Slow.go_on.set):
            self.addCleanup(cleanup)
        api = {
            "base_url": f"http://127.0.0.1:{upstream.server_port}",
            "allowed_endpoints": ["/v1"],
            "allowed_methods": ["POST"],
        }
        (self.place / "etc" / "apis.yaml").write_text(yaml.safe_dump({"default_api": "a", "apis": {"a": api}}))
        command = [*image.entrypoint, *image.command, *options]
        self.listens = {"LISTEN_ADDR": f"127.0.0.1:{self.port}"}
        with open(self.place / "said", "w") as out:
            process = image.start(command, env={**env, **self.listens}, mounts=mounts, read_only=True, out=out.fileno())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def health(self) -> int:
        """What the image's own check says."""
        return self.build.image.run(self.build.image.healthcheck, env=self.listens, read_only=True)[0]

    def up(self, process: subprocess.Popen[str]) -> None:
        for _ in range(120):
            if self.health() == 0:
                return
            if process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError((self.place / "said").read_text())

    def ask(self, path: str, content: Any, token: str) -> Any:
        fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps(content).encode()
        return urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, fields), timeout=60
        )

    def made(self, path: str, **content: Any) -> Any:
        with self.ask(path, content, MANAGEMENT_TOKEN) as response:
            return json.load(response)

    def token(self) -> str:
        project = self.made("/manage/projects", name="p", api_key="sk-0123456789abcdef0123456789abcdef")["id"]
        return str(self.made("/manage/tokens", project_id=project, duration_minutes=60)["token"])

    def test_what_is_in_it(self) -> None:
        """This version, by nobody that is root, with nothing that installs, and nothing that its user could change."""
        image = self.build.image
        self.assertNotIn(image.user.split(":")[0], ("0", "root"))
        self.assertIn(f"llmproxy {__version__}", image.run([*image.entrypoint, "version"], read_only=True)[1])
        self.assertNotEqual(image.run(["/opt/llmproxy/bin/python", "-m", "pip", "--version"])[0], 0)
        look = "find /opt /etc /var /run -xdev -writable -not -type l; find /opt /etc /var /run -perm /6000"
        writable = sorted(image.run(["/bin/sh", "-c", look])[1].split())
        self.assertEqual(writable, ["/run/llmproxy", "/var/lib/llmproxy", "/var/log/llmproxy"])
        for module in ("psycopg", "pymysql", "brotli", "hpack", "regex", "opentelemetry.sdk"):
            with row(module):
                self.assertEqual(image.run(["python", "-c", f"import {module}"]), (0, ""))

    def test_nothing_of_the_checkout(self) -> None:
        """No test, no git, no file of variables and no key comes along."""
        found = [
            path.name for path in self.build.image.root.rglob("*") if path.name in ("tests", ".git", ".env", ".ci")
        ]
        ours = self.build.image.root / "opt"
        self.assertEqual([name for name in found if (ours / name).exists()], [])
        self.assertFalse(list(ours.glob("llmproxy/lib/python3*/site-packages/tests")))

    def test_any_user(self) -> None:
        """As a user that no file knows, in group 0, it has a place to write."""
        image = evolve(self.build.image, user="54321:0")
        look = "test -w . && test -w /var/log/llmproxy && test -w /run/llmproxy && llmproxy version"
        status, said = image.run(["/bin/sh", "-c", look])
        self.assertEqual(status, 0, said)

    def test_drains(self) -> None:
        """As process 1, SIGTERM lets a stream end whole; then it is gone, with status 0."""
        process = self.serve("--drain", "50s", "--drain-delay", "0s")
        self.up(process)
        stream = self.ask("/v1/chat/completions", {"model": "m", "stream": True}, self.token())
        self.addCleanup(stream.close)
        self.assertEqual(stream.readline(), b"data: one\n")
        first = first_process(process)
        status = Path(f"/proc/{first}/status").read_text()
        self.assertRegex(status, r"NSpid:\t\d+\t1\n")
        self.assertRegex(status, r"Uid:\t10001\t10001\t10001\t10001\n")
        os.kill(first, signal.SIGTERM)
        self.refuses()
        self.assertIsNone(process.poll())
        Slow.go_on.set()
        self.assertIn(b"data: [DONE]", stream.read())
        self.assertEqual(process.wait(60), 0)
        self.assertNotEqual(self.health(), 0)

    def refuses(self) -> None:
        """Wait until nobody new gets in."""
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=10).close()
            except (OSError, urllib.error.URLError):
                return
            time.sleep(0.05)
        raise AssertionError("it goes on listening")

    def test_workers(self) -> None:
        """As process 1 with workers: a worker that is killed is buried and replaced, and SIGTERM ends them all."""
        process = self.serve("--workers", "2", "--drain", "5s", "--drain-delay", "0s")
        self.up(process)
        first = first_process(process)
        children = Path(f"/proc/{first}/task/{first}/children")
        workers = children.read_text().split()
        self.assertGreaterEqual(len(workers), 2)
        os.kill(int(workers[0]), signal.SIGKILL)
        for _ in range(200):
            now = children.read_text().split()
            if workers[0] not in now and len(now) >= len(workers):
                break
            time.sleep(0.1)
        self.assertNotIn(workers[0], now)
        self.assertEqual(len(now), len(workers))
        self.token()
        os.kill(first, signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)
        self.assertFalse([each for each in now if Path(f"/proc/{each}").exists()])

    def test_without_secrets(self) -> None:
        """Without a token it does not start, and says which variable is missing."""
        process = self.serve(secrets=False)
        self.assertNotEqual(process.wait(60), 0)
        self.assertIn("MANAGEMENT_TOKEN", (self.place / "said").read_text())

    def test_secret_that_cannot_be_read(self) -> None:
        """A file that only root may read is named, and its content is not said."""
        process = self.serve(secrets=False, MANAGEMENT_TOKEN_FILE=f"{SECRETS}/ours")
        self.secret("ours", "canary-of-this-test")
        (self.place / "secrets" / "ours").chmod(0o400)
        self.assertNotEqual(process.wait(60), 0)
        said = (self.place / "said").read_text()
        self.assertIn(f"{SECRETS}/ours", said)
        self.assertNotIn("canary-of-this-test", said)

    def test_directory_of_somebody_else(self) -> None:
        """A volume that its user cannot write is said so, by its path."""
        os.chown(self.place / "data", 0, 0)
        (self.place / "data").chmod(0o755)
        process = self.serve()
        self.assertNotEqual(process.wait(60), 0)
        self.assertIn("/var/lib/llmproxy", (self.place / "said").read_text())
