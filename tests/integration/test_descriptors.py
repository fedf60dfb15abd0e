"""The proxy at the limit of its file descriptors."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .processes import LLMPROXY, MANAGEMENT_TOKEN, environment, free_port, wait_for_text

CONFIG = """\
default_api: a
apis:
  a: {base_url: http://127.0.0.1:1, allowed_endpoints: [/v1], allowed_methods: [GET]}
"""


class DescriptorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        Path(self.directory, "apis.yaml").write_text(CONFIG)
        self.port = free_port()

    def serve(self, soft: int, hard: int) -> subprocess.Popen[str]:
        """A proxy that starts with these limits."""
        more = {"MANAGEMENT_TOKEN": MANAGEMENT_TOKEN, "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
        options = [
            "serve",
            "--config",
            "apis.yaml",
            "--database",
            "sqlite:///d.db",
            "--listen",
            f"127.0.0.1:{self.port}",
        ]
        with open(os.path.join(self.directory, "log"), "w") as log:
            process = subprocess.Popen(
                [*LLMPROXY, *options],
                cwd=self.directory,
                env=environment(**more),
                stdout=log,
                stderr=log,
                text=True,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
            )
        self.addCleanup(self.end, process)
        wait_for_text(os.path.join(self.directory, "log"), "workers: 1", process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.addCleanup(client.close)
        return client

    def ask(self, client: socket.socket) -> bytes:
        client.sendall(b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += client.recv(65536)
        return answer

    def test_raised(self) -> None:
        """The soft limit is raised as far as it may be."""
        process = self.serve(256, 4096)
        self.assertEqual(resource.prlimit(process.pid, resource.RLIMIT_NOFILE), (4096, 4096))

    def test_bound(self) -> None:
        """Clients without room are told so with 503; who is connected is served, and who leaves makes room."""
        self.serve(200, 200)
        clients = [self.connect() for _ in range(74)]
        for client in clients:
            self.assertIn(b" 200 OK", self.ask(client))
        for _ in range(200):
            one_more = self.connect()
            self.assertIn(b" 503 ", self.ask(one_more))
            one_more.close()
        self.assertIn(b" 200 OK", self.ask(clients[-1]))
        for client in clients[10:]:
            client.close()
        self.assertIn(b" 200 OK", self.ask(self.connect()))
        log = Path(self.directory, "log").read_text()
        self.assertEqual(log.count("200 open files are allowed, enough for 74 clients at once"), 1)
        self.assertNotIn("Traceback", log)

    def test_far_too_many(self) -> None:
        """Beyond the bound there is still room for an upstream of each who is served, and no line of Twisted's."""
        process = self.serve(64, 64)
        clients = [self.connect() for _ in range(80)]
        for client in clients[:23]:
            self.assertIn(b" 200 OK", self.ask(client), client)
        self.assertLessEqual(len(os.listdir(f"/proc/{process.pid}/fd")) + 23, 64)
        log = Path(self.directory, "log").read_text()
        self.assertNotIn("EMFILE", log)
        self.assertNotIn("oo many open files", log)
