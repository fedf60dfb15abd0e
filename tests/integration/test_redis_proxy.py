"""A whole proxy with its cache in a real Redis."""

from __future__ import annotations

import json
import os
from typing import Any

from treq.api import default_pool
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.client import Agent

from llmproxy.cache import pool
from llmproxy.core.caching.environment import CacheOptions
from llmproxy.core.caching.redisurl import RedisLocation

from .harness import MANAGEMENT_TOKEN, ProxyTestCase, get
from .redisserver import MISSING, RedisServer

STORED = b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 3\r\n\r\none"


class RedisProxyTests(ProxyTestCase):
    skip = MISSING

    def cache_options(self) -> CacheOptions:
        self.server = RedisServer().start()
        self.addCleanup(self.server.close)
        # A machine that is busy with something else is no reason for a test to fail.
        self.patch(pool, "PATIENCE", 10.0)
        location = RedisLocation(host="127.0.0.1", port=self.server.port)
        return CacheOptions(redis=location, prefix=f"test:{os.urandom(4).hex()}:")

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        while not self.numbers()["redis_connections"]:
            await deferLater(reactor, 0.01)

    def numbers(self) -> dict[str, float]:
        cache = self.service.proxy.cache
        assert cache is not None
        return cache.store.statistics()

    async def fetch(self, path: bytes = b"/v1/x") -> bytes:
        """What a client gets; upstream answers where it is asked."""
        asked = len(self.upstream.wires)
        client = await self.send(get(path, b"Connection: close"))
        client.until_closed().addErrback(lambda _: None)
        while client.closed is None:
            if len(self.upstream.wires) > asked:
                wire = self.upstream.wires[asked]
                asked += 1
                await wire.until_received(b"\r\n\r\n")
                wire.send(STORED)
                wire.close()
            await deferLater(reactor, 0.005)
        return client.received

    async def manage(self, method: str, path: str, body: Any = None) -> Any:
        http = HTTPClient(Agent(reactor, pool=default_pool(reactor, None, False)))
        response = await http.request(
            method,
            f"http://127.0.0.1:{self.port}/manage{path}",
            headers={"Authorization": f"Bearer {MANAGEMENT_TOKEN}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        return json.loads(await response.content())

    async def test_hits(self) -> None:
        """An answer is fetched once; hits are shown where tokens are listed, and cost no use."""
        self.assertIn(b"; stored", await self.fetch())
        for _ in range(3):
            answer = await self.fetch()
            self.assertIn(b"llmproxy; hit; ttl=", answer)
            self.assertTrue(answer.endswith(b"\r\n\r\none"))
        self.assertEqual(len(self.upstream.wires), 1)
        (token,) = await self.manage("GET", "/tokens")
        self.assertEqual((token["cache_hit_count"], token["request_count"]), (3, 1))
        self.assertEqual((await self.manage("GET", f"/tokens/{token['id']}"))["cache_hit_count"], 3)

    async def test_redis_goes(self) -> None:
        """Without Redis every request is answered by upstream; when it is back, so are the hits."""
        await self.fetch()
        self.server.kill()
        while self.numbers()["redis_connections"]:
            await deferLater(reactor, 0.01)
        for _ in range(3):
            self.assertIn(b"fwd=uri-miss", await self.fetch())
        self.server.start()
        for _ in range(400):
            if b"; hit" in await self.fetch():
                return
            await deferLater(reactor, 0.05)
        self.fail(self.numbers())

    async def test_counted(self) -> None:
        """The metrics tell how long Redis took and what it could not do."""
        await self.fetch()
        await self.fetch()
        text = await self.send(b"GET /metrics/prometheus HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await text.until_closed()
        lines = dict(line.rsplit(" ", 1) for line in text.received.decode().splitlines() if line.startswith("llm"))
        self.assertGreater(float(lines["llmproxy_cache_redis_calls_total"]), 1)
        self.assertGreater(float(lines["llmproxy_cache_redis_seconds_total"]), 0)
        self.assertEqual(float(lines["llmproxy_cache_redis_connections"]), 4)
        self.assertEqual(float(lines["llmproxy_cache_errors_total"]), 0)
        self.assertEqual(float(lines["llmproxy_cache_hits_dropped_total"]), 0)
        self.assertEqual(float(lines["llmproxy_cache_entries"]), 1)
