"""Two proxies at one port: one is renewed while the other serves."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .processes import LLMPROXY, MANAGEMENT_TOKEN, free_port, start

PATIENCE = 60.0
CONFIG = """\
default_api: a
apis:
  a: {base_url: http://127.0.0.1:1, allowed_endpoints: [/v1], allowed_methods: [GET]}
"""


class TwoProxies(SynchronousTestCase):
    def started(self, port: int, workers: str = "1") -> subprocess.Popen[str]:
        os.mkdir(directory := os.path.abspath(self.mktemp()))
        Path(directory, "apis.yaml").write_text(CONFIG)
        listen = ("--listen", f"tcp:{port}:interface=127.0.0.1:reuse_port=yes", "--workers", workers)
        command = (*LLMPROXY, "serve", "--config", "apis.yaml", "--database", "d.db", "--access-log", "log", *listen)
        process = start(command, directory, MANAGEMENT_TOKEN=MANAGEMENT_TOKEN)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        self.until(lambda: "listening: " in Path(directory, "stderr").read_text() or self.failed(process, directory))
        return process

    def failed(self, process: subprocess.Popen[str], directory: str) -> bool:
        self.assertIsNone(process.poll(), Path(directory, "stderr").read_text())
        return False

    def until(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), ends, "it never came")
            time.sleep(0.05)

    def test_one_after_the_other(self) -> None:
        """Both start at one port, of which one has workers; when the first has ended all requests are the second's."""
        port = free_port()
        first, second = self.started(port), self.started(port, "2")
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(PATIENCE), 0)
        for _ in range(8):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=PATIENCE) as answer:
                self.assertEqual(answer.status, 200)
        second.send_signal(signal.SIGTERM)
        self.assertEqual(second.wait(PATIENCE), 0)
