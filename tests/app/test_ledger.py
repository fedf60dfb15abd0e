"""Tests of the ledger put together: exchanges of a whole proxy, in its database."""

from __future__ import annotations

import os
import time
from typing import Any

from attrs import evolve
from sqlalchemy import select
from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.filepath import FilePath
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from llmproxy.app.proxy import TransparentProxy
from llmproxy.config import APIConfig, CacheConfig
from llmproxy.core.ledger.settings import LedgerOptions
from llmproxy.core.tokens import token_hash
from llmproxy.message import ApiRequest, Record
from llmproxy.store.schema import tokens, usage_records

from ..store.databases import project, token
from .embedded import a_config

SECRET = b"sk-" + b"A" * 22


class _Upstream(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        request.setHeader(b"Cache-Control", b"public, max-age=60")
        return b"{}"


class LedgerTests(TestCase):
    """
    @ivar path: of the database.
    """

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "llmproxy.db")
        os.makedirs(os.path.dirname(self.path))

    async def proxy(self, *, cached: bool = False, **ledger: Any) -> TransparentProxy:
        api = evolve(a_config(), cache=CacheConfig(enabled=cached))
        config: APIConfig = evolve(api.alone(), ledger=LedgerOptions(**ledger))
        proxy = TransparentProxy(
            reactor, config, database_url=self.path, upstream_client=StubTreq(_Upstream()), drain_seconds=0.1
        )
        proxy.startService()
        self.addCleanup(proxy.stopService)
        await proxy.started
        return proxy

    async def issue(self, proxy: TransparentProxy) -> None:
        await proxy.database.projects.create(project(api_keys={"llm": ("sk-up",)}))
        await proxy.database.tokens.create(token(token_hash=token_hash(SECRET), expires_at=None))

    async def ask(self, proxy: TransparentProxy, target: bytes = b"/v1/x") -> int:
        record = Record("r-1", "GET", target.decode(), "192.0.2.1", 1_800_000_000.0)
        fields = [(b"Authorization", b"Bearer " + SECRET)]
        response = await proxy.respond(ApiRequest(b"GET", target, fields, None, record))
        if response.body is not None:
            await _read(response.body)
        return response.status

    async def rows(self, proxy: TransparentProxy, table: Any) -> list[Any]:
        return await proxy.database.read(lambda connection: list(connection.execute(select(table))))

    async def settled(self, proxy: TransparentProxy, count: int) -> list[Any]:
        """The records, as soon as there are so many: within a second, on a machine that is not slow."""
        until = time.monotonic() + 30
        while len(found := await self.rows(proxy, usage_records)) < count and time.monotonic() < until:
            await deferLater(reactor, 0.1)
        return found

    async def test_settled(self) -> None:
        """What was asked stands in the database soon, refusals too, and C{request_count} is what was counted."""
        proxy = await self.proxy()
        await self.issue(proxy)
        statuses = [await self.ask(proxy, target) for target in (b"/v1/x", b"/v1/x", b"/none")]
        found = await self.settled(proxy, 3)
        self.assertEqual(sorted(each.status for each in found), sorted(statuses))
        assert proxy.foundation.management is not None
        await proxy.foundation.management.counts.flush()
        [counted] = await self.rows(proxy, tokens)
        self.assertEqual((counted.request_count, sum(each.counted for each in found)), (2, 2))

    async def test_hits(self) -> None:
        """C{cache_hit_count} of a token is the number of its records that are hits; these use up nothing."""
        proxy = await self.proxy(cached=True)
        await self.issue(proxy)
        for _ in range(4):
            await self.ask(proxy)
        found = [(each.cache, each.counted) for each in await self.settled(proxy, 4)]
        self.assertEqual(sorted(found), [("hit", False)] * 3 + [("uri-miss", True)])
        assert proxy.foundation.management is not None
        await proxy.foundation.management.counts.flush()
        [counted] = await self.rows(proxy, tokens)
        self.assertEqual((counted.cache_hit_count, counted.request_count), (3, 1))

    async def test_stopped(self) -> None:
        """A proxy that has stopped has settled everything, and leaves no file."""
        proxy = await self.proxy()
        await self.issue(proxy)
        await self.ask(proxy)
        directory = FilePath(os.path.join(os.path.dirname(self.path), "ledger"))
        self.assertEqual(len(directory.children()), 1)
        await proxy.stopService()
        self.assertEqual(directory.children(), [])
        again = await self.proxy()
        self.assertEqual(len(await self.rows(again, usage_records)), 1)

    async def test_off(self) -> None:
        """With C{ledger: off} there are no records, and uses are counted as ever."""
        proxy = await self.proxy(enabled=False)
        await self.issue(proxy)
        await self.ask(proxy)
        assert proxy.foundation.management is not None
        await proxy.foundation.management.counts.flush()
        [counted] = await self.rows(proxy, tokens)
        self.assertEqual((await self.rows(proxy, usage_records), counted.request_count), ([], 1))
        self.assertFalse(os.path.exists(os.path.join(os.path.dirname(self.path), "ledger")))
        self.assertNotIn("llmproxy_ledger_waiting", proxy.metrics().gauges)

    async def test_not_writable(self) -> None:
        """Where there can be no files, records go to the database directly."""
        proxy = await self.proxy(directory="/proc/none/ledger")
        await self.issue(proxy)
        await self.ask(proxy)
        self.assertEqual(len(await self.settled(proxy, 1)), 1)
        self.assertEqual(proxy.metrics().gauges["llmproxy_ledger_in_memory"][1](), 1)

    async def test_shown(self) -> None:
        """What waits and what was lost is in the metrics."""
        metrics = (await self.proxy()).metrics()
        for name in ("waiting", "waiting_bytes", "oldest_seconds", "in_memory"):
            self.assertEqual(metrics.gauges[f"llmproxy_ledger_{name}"][1](), 0, name)
        for name in ("lost", "interrupted", "fsync_failures"):
            self.assertEqual(metrics.counters[f"llmproxy_ledger_{name}"][1](), 0, name)


def _read(body: Any) -> Deferred[None]:
    class Nowhere:
        def write(self, data: bytes) -> None:
            pass

    return body.startProducing(Nowhere())
