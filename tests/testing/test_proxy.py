"""A proxy in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import APIConfig, APIProviderConfig, CacheConfig, ProxyConfig, TimeoutConfig
from llmproxy.testing import SECRET, MemoryProxy

ROOT = Path(__file__).resolve().parents[2]

ALONE = """
import sys, threading
from llmproxy.testing import MemoryProxy
proxy = MemoryProxy()
answer = proxy.request("GET", "/v1/models")
proxy.upstream.next().answer(200, b"ok")
stopped = proxy.stop()
print(answer.body, stopped.called, "twisted.internet.reactor" in sys.modules, threading.active_count())
"""


class MemoryProxyTests(SynchronousTestCase):
    def test_exchange(self) -> None:
        """A request goes through the whole proxy and back, with the project's key; one record tells of it."""
        proxy = MemoryProxy()
        answer = proxy.request("POST", "/v1/chat?q=1", body=b"{}", fields=[(b"X-Mine", b"1")])
        call = proxy.upstream.next()
        self.assertEqual((call.method, call.url, call.body), ("POST", "https://upstream.example/v1/chat?q=1", b"{}"))
        self.assertEqual((call.header("authorization"), call.header("x-mine")), ("Bearer sk-upstream", "1"))
        call.answer(200, b"ok", [(b"X-Theirs", b"2")])
        self.assertEqual((answer.status, answer.body, answer.header("X-Theirs"), answer.ended), (200, b"ok", "2", True))
        (record,) = proxy.records
        self.assertEqual((record.status, record.ended, record.project_id), (200, "complete", "p-1"))
        self.successResultOf(proxy.stop())
        self.assertEqual(proxy.clock.getDelayedCalls(), [])

    def test_alone(self) -> None:
        """It starts no thread and installs no reactor."""
        ended = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((ended.stdout, ended.stderr), ("b'ok' True False 1\n", ""))

    def test_tokens(self) -> None:
        """Who has no token, or one that is not known any more, is refused."""
        proxy = MemoryProxy()
        self.assertEqual(proxy.request("GET", "/v1/x", token=None).status, 401)
        del proxy.tokens.projects[SECRET]
        self.assertEqual(proxy.request("GET", "/v1/x").status, 401)
        self.assertEqual(proxy.upstream.calls, [])

    def test_several_apis(self) -> None:
        """Its project has a key for each API of a configuration."""
        api = APIProviderConfig(base_url="https://a.example", allowed_endpoints=["/v1"], allowed_methods=["GET"])
        proxy = MemoryProxy(APIConfig({"a": api, "b": api}, "a"))
        for path in ("/v1/x", "/b/v1/x"):
            proxy.request("GET", path)
            self.assertEqual(proxy.upstream.next().header("authorization"), "Bearer sk-upstream", path)

    def test_time(self) -> None:
        """A deadline passes when the test says so."""
        config = ProxyConfig(
            base_url="https://a.example",
            allowed_endpoints=["/v1"],
            allowed_methods=["GET"],
            timeouts=TimeoutConfig(response_header=5.0),
        )
        proxy = MemoryProxy(config)
        answer = proxy.request("GET", "/v1/x")
        proxy.clock.pump([0.1] * 48)
        self.assertIsNone(answer.status)
        proxy.clock.pump([0.1] * 4)
        self.assertEqual((answer.status, proxy.upstream.next().cancelled), (504, True))

    def test_drain(self) -> None:
        """A proxy that stops lets a running exchange end, and takes no other."""
        proxy = MemoryProxy()
        answer = proxy.request("GET", "/v1/x")
        stopping = proxy.stop()
        self.assertNoResult(stopping)
        self.assertEqual(proxy.request("GET", "/v1/x").status, 503)
        proxy.upstream.next().answer(200, b"ok")
        self.assertEqual((answer.body, self.successResultOf(stopping)), (b"ok", None))

    def test_cache(self) -> None:
        """What the proxy has stored is found again, and the application can purge it."""
        config = ProxyConfig(
            base_url="https://a.example",
            allowed_endpoints=["/v1"],
            allowed_methods=["GET"],
            cache=CacheConfig(enabled=True),
        )
        proxy = MemoryProxy(config)
        proxy.request("GET", "/v1/models")
        proxy.upstream.next().answer(200, b"m", [(b"Cache-Control", b"public, max-age=60")])
        self.assertEqual(proxy.request("GET", "/v1/models").body, b"m")
        cache = proxy.proxy.cache
        assert cache is not None
        self.assertEqual(self.successResultOf(cache.purge(None, "p-1", b"/v1/models")), 1)
        self.assertIsNone(proxy.request("GET", "/v1/models").status)
        self.assertEqual(len(proxy.upstream.calls), 2)
        uncached = MemoryProxy(evolve(config, cache=CacheConfig(enabled=False)))
        self.assertIsNone(uncached.proxy.cache)
