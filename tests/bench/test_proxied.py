"""Tests for L{llmproxy.bench.proxied}; that it starts is in C{tests.integration.test_benchmark}."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.proxied import CONFIG, Running
from llmproxy.config import load_api_config


class ProxiedTests(SynchronousTestCase):
    def test_secret(self) -> None:
        """The token is not seen where the process is printed."""
        self.assertNotIn("s3cret", repr(Running(1, 2, "s3cret")))

    def test_memory(self) -> None:
        """What is in use now is no more than it was at most."""
        ourselves = Running(os.getpid(), 0, "")
        self.assertGreater(ourselves.resident(), 1 << 20)
        self.assertGreaterEqual(ourselves.peak(), ourselves.resident() // 2)

    def test_configuration(self) -> None:
        """What it is started with is a configuration that serves what is measured."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(CONFIG.format(port=9))
        [api] = load_api_config(path).compiled()
        self.assertEqual((api.name, api.upstreams[0].origin.netloc), ("benchmark", b"127.0.0.1:9"))
