"""What signals do to a process of its own, alone and with workers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from http.client import HTTPConnection

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.signals import SAME

from .processes import LLMPROXY, MANAGEMENT_TOKEN, TWISTD, free_port, start, wait_for_text

CONFIG = """default_api: x
apis:
  x:
    base_url: http://127.0.0.1:9
    allowed_endpoints: [/v1]
    allowed_methods: [GET]
"""

PATIENCE = 30.0
"""Seconds, beyond which something hangs."""


class SignalTests(SynchronousTestCase):
    def served(self, *command: str) -> subprocess.Popen[str]:
        """A proxy that answers, which would wait for ten minutes before it closes its port."""
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        with open(os.path.join(self.directory, "apis.yaml"), "w") as file:
            file.write(CONFIG)
        self.port = free_port()
        listen = (
            "--config",
            "apis.yaml",
            "--listen",
            f"tcp:{self.port}:interface=127.0.0.1",
            "--access-log",
            "access.log",
        )
        process = start(
            (*command, *listen, "--drain-delay", "10m"),
            self.directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_PATH="proxy.db",
            AUDIT_ENABLED="false",
        )
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        self.until(lambda: self.status("/ready") == 200)
        return process

    def status(self, path: str) -> int:
        """What the port answers; 0 where it does not."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def until(self, condition: object) -> None:
        ends = time.monotonic() + PATIENCE
        while not condition():  # type: ignore[operator]
            self.assertLess(time.monotonic(), ends)
            time.sleep(0.02)

    def said(self) -> str:
        return "".join(
            open(os.path.join(self.directory, name)).read()
            for name in ("stdout", "stderr")
            if os.path.exists(os.path.join(self.directory, name))
        )

    def hold(self, process: subprocess.Popen[str], first: int, second: int) -> None:
        log = os.path.join(self.directory, "access.log")
        os.rename(log, log + ".1")
        process.send_signal(signal.SIGUSR1)
        self.until(lambda: os.path.exists(log))
        process.send_signal(first)
        self.until(lambda: self.status("/ready") == 503)
        self.assertEqual(self.status("/livez"), 200, "the port still answers")
        self.assertEqual(self.status("/v1/x"), 401, "and requests are served still: this one has no token")
        self.assertIsNone(process.poll())
        time.sleep(2 * SAME)
        process.send_signal(second)
        process.wait(PATIENCE)
        self.assertEqual(self.status("/livez"), 0)
        self.assertNotIn("ReactorNotRunning", self.said())
        self.assertNotIn("Traceback", self.said())

    def test_serve(self) -> None:
        """C{/ready} turns 503 while the port answers; a second signal ends the wait, C{SIGUSR1} makes a new log."""
        self.hold(self.served(*LLMPROXY, "serve"), signal.SIGTERM, signal.SIGTERM)
        self.assertIn("SIGTERM: stopping", self.said())

    def test_twistd(self) -> None:
        """The same under twistd, by Ctrl-C."""
        self.hold(self.served(*TWISTD, "-n", "llmproxy"), signal.SIGINT, signal.SIGINT)

    def test_workers(self) -> None:
        """And with workers, all of which say so."""
        self.hold(self.served(*LLMPROXY, "serve", "--workers", "2"), signal.SIGTERM, signal.SIGINT)

    def test_quickstart(self) -> None:
        """Somebody who tries it out and presses Ctrl-C twice sees no traceback; so with the demo upstream alone."""
        for command, ready in (("quickstart", "Stop with Ctrl-C."), ("demo-upstream", "demo upstream: ")):
            self.directory = self.mktemp()
            os.mkdir(self.directory)
            port = ("--port", str(free_port())) if command == "quickstart" else ("--listen", f"127.0.0.1:{free_port()}")
            process = start((*LLMPROXY, command, *port), self.directory)
            self.addCleanup(process.kill)
            wait_for_text(os.path.join(self.directory, "stdout"), ready, process)
            for _ in range(3):
                process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(PATIENCE), 0, (command, ready))
            self.assertNotIn("Traceback", self.said())
