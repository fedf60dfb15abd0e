"""Upgrades, reloads and new certificates under load: nobody who is connected notices."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection

from twisted.trial.unittest import SynchronousTestCase

from tests.gaprun.clients import Options
from tests.gaprun.run import Run
from tests.tables import row

from .processes import MANAGEMENT_TOKEN, TWISTD, free_port, start

CONFIG = """default_api: x
apis: {x: {base_url: "http://127.0.0.1:9", allowed_endpoints: [/v1], allowed_methods: [GET]}}
"""

PATIENCE = 240.0


class GapTests(SynchronousTestCase):
    def test_nobody_notices(self) -> None:
        """Alone and with workers; the full run is C{python -m tests.gaprun}."""
        for workers in (1, 2):
            with row(self, workers):
                directory = self.mktemp()
                os.mkdir(directory)
                things = {"reloads": 2, "certificates": 1, "upgrades": 1}
                options = Options(500, 8, events=20, workers=workers, clients=4, pause_ms=20, **things)
                outcome = Run(options, directory).run()
                self.assertEqual((outcome.tally.failures, outcome.status), ({}, 0))
                self.assertEqual(outcome.happened, things)
                self.assertGreaterEqual(outcome.tally.requests, 500)


class TwistdTests(SynchronousTestCase):
    def ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def until(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), ends)
            time.sleep(0.05)

    def pid(self) -> int:
        try:
            with open(os.path.join(self.directory, "twistd.pid")) as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0

    def test_background(self) -> None:
        """In the background, with its pidfile and its log, alone and with workers: the process id stays."""
        for workers in ("1", "2"):
            with row(self, workers):
                self.directory = self.mktemp()
                os.mkdir(self.directory)
                with open(os.path.join(self.directory, "apis.yaml"), "w") as file:
                    file.write(CONFIG)
                self.port = free_port()
                listen = ("--listen", f"tcp:{self.port}:interface=127.0.0.1")
                started = start(
                    (*TWISTD, "llmproxy", "-c", "apis.yaml", "-w", workers, "--access-log", "access.log", *listen),
                    self.directory,
                    MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
                    DATABASE_PATH="proxy.db",
                    AUDIT_ENABLED="false",
                )
                self.assertEqual(started.wait(PATIENCE), 0)
                self.until(lambda: self.pid() != 0 and self.ready())
                pid = self.pid()
                self.addCleanup(self.kill, pid)
                for _ in range(2):
                    before = self.log("process ")
                    os.kill(pid, signal.SIGUSR2)
                    self.until(lambda before=before: self.log("process ") > before and self.ready())
                    self.until(lambda: self.pid() == pid)
                    # What is before drains until then.
                    time.sleep(1.0)
                    self.assertTrue(self.ready())
                os.kill(pid, signal.SIGTERM)
                self.until(lambda: self.pid() == 0)
                self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", self.port))

    def log(self, words: str) -> int:
        with open(os.path.join(self.directory, "twistd.log")) as file:
            return file.read().count(words)

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
