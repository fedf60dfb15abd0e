"""A whole proxy with its cache in a real Redis."""

from __future__ import annotations

import json
import os
from typing import Any

from attrs import evolve
from treq.api import default_pool
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.client import Agent

from llmproxy.config import APIProviderConfig, CacheConfig
from llmproxy.core.caching.settings import CacheOptions
from llmproxy.core.redisoptions import RedisLocation, RedisOptions
from llmproxy.redis import pool

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
        return CacheOptions(redis=RedisOptions(location), prefix=f"test:{os.urandom(4).hex()}:")

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        while not self.numbers()["redis_connections"]:
            await deferLater(reactor, 0.01)

    def numbers(self) -> dict[str, float]:
        cache = self.service.proxy.foundation.cache
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


class TwoProxiesTests(ProxyTestCase):
    """Two proxies that know the same token, on one Redis."""

    skip = MISSING

    def cache_options(self) -> CacheOptions:
        return self.options

    async def setUp(self) -> None:  # type: ignore[override]
        server = RedisServer().start()
        self.addCleanup(server.close)
        self.patch(pool, "PATIENCE", 10.0)
        self.options = CacheOptions(
            redis=RedisOptions(RedisLocation(host="127.0.0.1", port=server.port)), memory_bytes=0
        )
        await super().setUp()
        one, self.ports = self.service.proxy, [self.port]
        other = await self.start_proxy(self.base_url)
        self.addCleanup(other.stopService)
        self.ports.append(self.port)
        [token] = await one.database.tokens.list()
        await other.proxy.database.projects.create(await one.database.projects.get(token.project_id))
        await other.proxy.database.tokens.create(token)
        self.proxies = (one, other.proxy)
        for proxy in self.proxies:
            while not proxy.foundation.cache.store.statistics()["redis_connections"]:
                await deferLater(reactor, 0.01)

    async def ask(self, at: int, request: bytes) -> Any:
        """A client of one of the proxies sends a request; its connection."""
        self.port = self.ports[at]
        return await self.send(request)

    async def told(self, at: int) -> bytes:
        """What one of them says of its cache, when the same is asked again."""
        asked, before = len(self.upstream.wires), self.stored(at)
        client, missed = await self.ask(at, get(b"/v1/x", b"Connection: close")), False
        while client.closed is None or (missed and self.stored(at) == before):
            if len(self.upstream.wires) > asked:
                await self.upstream.wires[asked].until_received(b"\r\n\r\n")
                self.upstream.wires[asked].send(STORED)
                asked, missed = asked + 1, True
            await deferLater(reactor, 0.005)
        [line] = [line for line in client.received.split(b"\r\n") if line.startswith(b"Cache-Status")]
        return bytes(line.split(b"; ")[1])

    def stored(self, at: int) -> int:
        """How many answers one of them has stored; Redis has them then, and not when the client does."""
        return self.proxies[at].foundation.cache.counts["store"]

    async def while_it_is_fetched(self, change: bytes) -> None:
        """One proxy fetches; the other one is told of a change before the answer comes."""
        asked, before = len(self.upstream.wires), self.stored(0)
        client = await self.ask(0, get(b"/v1/x"))
        fetching = await self.upstream.wire(asked)
        await fetching.until_received(b"\r\n\r\n")
        if change:
            changing = await self.ask(1, change)
            if change.startswith(b"PUT"):
                changed = await self.upstream.wire(asked + 1)
                await changed.until_received(b"\r\n\r\n")
                changed.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            await changing.until_received(b"HTTP/1.1 20")
        fetching.send(STORED)
        await client.until_received(b"one")
        while not change and self.stored(0) == before:
            await deferLater(reactor, 0.005)
        for wire in self.upstream.wires:
            wire.close()

    async def test_fetched_meanwhile(self) -> None:
        """What one proxy fetches is stored for both, but not if it was purged, or changed, through the other."""
        put = get(b"/v1/x", b"Content-Length: 0", method=b"PUT")
        purge = (
            b"POST /manage/cache/purge HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
        )
        bodies = (b'{"url": "/v1/x"}', b'{"prefix": "/v1"}', b'{"api": "api"}', b'{"all": true}')
        purges = [purge % (MANAGEMENT_TOKEN.encode(), len(body), body) for body in bodies]
        for change in (b"", put, *purges):
            await self.while_it_is_fetched(change)
            self.assertEqual(await self.told(1), b"fwd=uri-miss" if change else b"hit", change)
            self.assertEqual((await self.told(0), await self.told(1)), (b"hit", b"hit"), change)
            last = await self.ask(0, purges[-1])
            await last.until_received(b"deleted")


class OtherPlaceTests(TwoProxiesTests):
    """Two proxies on one Redis whose API has one name, and leads to another upstream."""

    scope = "shared"

    def api(self, base_url: str) -> APIProviderConfig:
        return evolve(super().api(base_url), cache=CacheConfig(scope=self.scope))

    async def start_proxy(self, base_url: str) -> Any:
        """The second one, with an upstream path of its own."""
        first = not hasattr(self, "service")
        return await super().start_proxy(base_url if first else base_url + "/elsewhere")

    async def test_fetched_meanwhile(self) -> None:
        """Neither answers the other's clients, though project and token are the same; each finds what it stored."""
        self.assertEqual((await self.told(0), await self.told(0)), (b"fwd=uri-miss", b"hit"))
        self.assertEqual((await self.told(1), await self.told(1)), (b"fwd=uri-miss", b"hit"))
        self.assertIn(b"GET /v1/x ", self.upstream.wires[0].received)
        self.assertIn(b"GET /elsewhere/v1/x ", self.upstream.wires[1].received)
        body = b'{"api": "api"}'
        purge = (
            b"POST /manage/cache/purge HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
        )
        purging = await self.ask(1, purge % (MANAGEMENT_TOKEN.encode(), len(body), body))
        await purging.until_received(b'"deleted":1')
        for wire in self.upstream.wires:
            wire.close()
        self.assertEqual((await self.told(0), await self.told(1)), (b"hit", b"fwd=uri-miss"))


class OtherPlaceOfProjectTests(OtherPlaceTests):
    """The same where answers are of a project."""

    scope = "project"
