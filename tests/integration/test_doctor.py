"""C{llmproxy doctor} and C{llmproxy debug-bundle} beside a running proxy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .certificates import Authority
from .processes import LLMPROXY, MANAGEMENT_TOKEN, free_port, run, start
from .redisserver import MISSING, RedisServer

CONFIG = """\
default_api: a
apis:
  a:
    base_url: http://127.0.0.1:{upstream}
    allowed_endpoints: [/v1]
    allowed_methods: [GET]
    key: "${{UPSTREAM_SECRET}}"
    own_key_for: all
    headers: {{X-Org: canary-header-value}}
sinks:
  - name: hook
    type: http
    url: http://127.0.0.1:1/services/canary-way/of-a-webhook
    secret: "${{SIGNING_SECRET}}"
"""

SECRETS = {
    "UPSTREAM_SECRET": "canary-upstream-0815",
    "SIGNING_SECRET": "canary-signing-4711",
    "METRICS_TOKEN": "canary-metrics-4712",
    "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "MANAGEMENT_TOKEN": MANAGEMENT_TOKEN,
}


class DoctorTests(SynchronousTestCase):
    skip = MISSING

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory, 0o700)
        self.redis = RedisServer(requirepass="canary-redis-pw").start()
        self.addCleanup(self.redis.close)
        upstream = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(upstream.close)
        path = Path(self.directory, "apis.yaml")
        path.write_text(CONFIG.format(upstream=upstream.getsockname()[1]))
        path.chmod(0o600)
        self.port = free_port()
        self.env = {**SECRETS, "REDIS_URL": f"redis://:canary-redis-pw@127.0.0.1:{self.redis.port}/0"}
        self.options = ("--config", "apis.yaml", "--database", "sqlite:///d.db", "--listen", f"127.0.0.1:{self.port}")

    def serve(self) -> None:
        process = start((*LLMPROXY, "serve", *self.options), self.directory, **self.env)

        def stop() -> None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self.addCleanup(stop)
        until = time.monotonic() + 60
        while self.fetch("/ready", {}) == "":
            self.assertLess(time.monotonic(), until, Path(self.directory, "stderr").read_text())
            time.sleep(0.1)
        self.process = process

    def fetch(self, path: str, headers: dict[str, str], body: Any = None) -> str:
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json", **headers}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode() if error.code != 503 else ""
        except OSError:
            return ""

    def doctor(self, *options: str, **env: str) -> dict[str, list[dict[str, str]]]:
        """What it finds, by the names of checks."""
        command = (*LLMPROXY, "doctor", "--json", *options)
        done = run(command, self.directory, **{**self.env, **env})
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        self.assertNotIn("canary", done.stdout + done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(done.returncode, said["status"])
        checks = said["checks"]
        assert isinstance(checks, dict)
        return checks

    def faults(self, checks: dict[str, list[dict[str, str]]]) -> list[str]:
        return [each["says"] for found in checks.values() for each in found if each["level"] == "fault"]

    def test_in_order(self) -> None:
        """Before the start and while it runs, nothing has to be mended; who has the port is known."""
        checks = self.doctor(*self.options)
        self.assertEqual(self.faults(checks), [])
        self.assertIn("is free", checks["ports"][0]["says"])
        self.serve()
        checks = self.doctor(*self.options)
        self.assertEqual(self.faults(checks), [])
        self.assertIn("a running llmproxy answers there", checks["ports"][0]["says"])
        self.assertIn(f"(process {self.process.pid})", checks["ports"][0]["says"])
        self.assertIn("its schema is up to date", " ".join(each["says"] for each in checks["database"]))
        self.assertIn("answers in", checks["redis"][0]["says"])
        self.assertIn("the connection stands", checks["upstreams"][0]["says"])

    def test_all_is_broken(self) -> None:
        """A name that is none, a certificate that expired, a taken port, a file for a database, a dead Redis."""
        cert, key = Authority(self.directory).issue("proxy.example", timedelta(hours=-1))
        path = Path(self.directory, "broken.yaml")
        path.write_text(
            "default_api: a\n"
            "apis:\n"
            "  a: {base_url: 'https://nowhere.invalid', allowed_endpoints: [/v1], allowed_methods: [GET]}\n"
            f"tls: {{certificates: [{{cert: '{cert}', key: '{key}'}}]}}\n"
        )
        Path(self.directory, "d.db").write_text("no database\n" * 100)
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        self.redis.kill()
        listen = ("--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--listen", "tls:0:interface=127.0.0.1")
        checks = self.doctor("--config", "broken.yaml", "--database", "sqlite:///d.db", *listen, MANAGEMENT_TOKEN="")
        for check, words in (
            ("configuration", "MANAGEMENT_TOKEN: is required"),
            ("ports", f"(process {os.getpid()})"),
            ("database", "not a database"),
            ("redis", "cannot be reached"),
            ("upstreams", "the name nowhere.invalid is not known"),
            ("certificates", "expired "),
        ):
            found = [each["says"] for each in checks[check] if each["level"] == "fault"]
            self.assertTrue(any(words in each for each in found), (check, words, checks[check]))

    def test_letters(self) -> None:
        """A terminal that has not all letters is no reason to end with a traceback."""
        Path(self.directory, "x.yaml").write_text("surprise_\u6a21: 1\n", "utf-8")
        command = (*LLMPROXY, "doctor", "--config", "x.yaml", "--check", "configuration")
        done = run(command, self.directory, **{**self.env, "PYTHONIOENCODING": "latin-1"})
        self.assertEqual((done.returncode, done.stderr), (2, ""))
        self.assertIn("surprise_\\u6a21", done.stdout)

    def test_bundle(self) -> None:
        """What helps, and no secret of the configuration, the database, callers or the environment."""
        self.serve()
        owner = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}"}
        project = json.loads(self.fetch("/manage/projects", owner, {"name": "p", "api_key": "sk-canary-of-a-project"}))
        token = json.loads(self.fetch("/manage/tokens", owner, {"project_id": project["id"], "duration_minutes": 60}))[
            "token"
        ]
        self.fetch("/v1/none", {"Authorization": "Bearer sk-canary-of-nobody"})
        done = run(
            (*LLMPROXY, "debug-bundle", *self.options, "-o", "b.tar.gz", "--log", "stderr", "--log", "stdout"),
            self.directory,
            **self.env,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        with tarfile.open(os.path.join(self.directory, "b.tar.gz")) as archive:
            files = {}
            for each in archive:
                content = archive.extractfile(each)
                assert content is not None
                files[each.name.partition("/")[2]] = content.read().decode()
        for name, text in files.items():
            for secret in ("canary", token, *SECRETS.values()):
                self.assertNotIn(secret, text, name)
        proxy = json.loads(files["proxy.json"])
        self.assertEqual(proxy["/numbers"]["requests"], 1)
        self.assertEqual(proxy["/config"]["configuration"]["apis"]["a"]["headers"], {"X-Org": "[masked]"})
        self.assertIn("llmproxy_in_flight", files["metrics.txt"])
        self.assertIn("listening", files["logs/stderr"])
        self.assertIn('"path":"/v1/none"', files["logs/stdout"])
