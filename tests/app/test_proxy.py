"""Tests for L{llmproxy.app.proxy}."""

from __future__ import annotations

import inspect
import json
from typing import Any

from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from llmproxy.app.proxy import TransparentProxy
from llmproxy.cache.memory import OVERHEAD
from llmproxy.cache.stats import CacheStatsAggregator
from llmproxy.config import APIConfig, APIProviderConfig, CacheConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.core.caching.settings import CacheOptions
from llmproxy.errors import Unavailable
from llmproxy.message import ApiRequest, Page, Record
from llmproxy.middleware.caching.state import HELD
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.store.engine import open_database

from ..cache.test_stats import FakeStatsStore
from ..store.databases import project, token
from ..tables import row

AUTHORIZED = {"Authorization": "Bearer management-canary"}


def kept(written: list[dict[str, int]]) -> Any:
    """What a store of hits does, which only remembers them."""

    def increment(counts: dict[str, int]) -> Deferred[None]:
        written.append(dict(counts))
        return succeed(None)

    return increment


def a_config(**changes: Any) -> APIConfig:
    api = APIProviderConfig(
        base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"], dialect="openai", **changes
    )
    return APIConfig({"x": api}, "x")


class TransparentProxyTests(TestCase):
    async def test_before_the_start(self) -> None:
        """A request that comes before the database is open is told to come again."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
        request = ApiRequest(b"GET", b"/v1/x", [], None, Record("id", "GET", "/v1/x", "192.0.2.1", 0.0))
        response = await proxy.respond(request)
        self.assertEqual((response.status, request.record.error_code), (503, Unavailable.code))
        self.assertIn((b"Retry-After", b"1"), response.fields)
        assert response.body is not None
        response.body.stopProducing()
        await proxy.shutdown()

    async def test_started_once(self) -> None:
        """A second start is refused, while it runs and after its end, and leaves nothing behind in the reactor."""
        for ended in (False, True):
            proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
            proxy.startService()
            await proxy.started
            if ended:
                await proxy.stopService()
            with row(ended):
                error = self.assertRaises(RuntimeError, proxy.startService)
            self.assertIn("make another TransparentProxy", str(error))
            self.assertEqual(bool(proxy.running), not ended, ended)
            await proxy.stopService()

    async def test_hits_are_written_down_at_the_end(self) -> None:
        """A hit of the last exchange is in the database when the proxy has stopped."""
        path = self.mktemp()
        proxy = TransparentProxy(reactor, a_config(), database_url=path)
        proxy.startService()
        await proxy.started
        await proxy.database.projects.create(project())
        await proxy.database.tokens.create(token())
        last = Record("id", "GET", "/v1/x", "192.0.2.1", 0.0, token_id="t1", status=200, cache="hit", ended="complete")
        proxy.foundation.metering.publisher.publish(last)
        await proxy.stopService()
        database = open_database(reactor, path)
        await database.start()
        found = await database.tokens.get("t1")
        await database.close()
        assert found is not None
        self.assertEqual(found.cache_hit_count, 1)

    async def test_cache(self) -> None:
        """It is on, and its numbers stand among the metrics; an operator can turn it off altogether."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
        assert proxy.foundation.cache is not None
        self.assertEqual(proxy.metrics().gauges["llmproxy_cache_bytes"][1](), 0)
        await proxy.shutdown()
        for config, cache in ((a_config(), CacheOptions(enabled=False)), (a_config(cache=CacheConfig(False)), None)):
            proxy = TransparentProxy(reactor, config, database_url=":memory:", cache=cache)
            self.assertIsNone(proxy.foundation.cache, config)
            await proxy.shutdown()

    async def test_cache_on_its_way(self) -> None:
        """Where an API stores answers that are larger than what is held at once, there is room for one of them."""
        for memory, held in ((1 << 30, 200 << 20), (100 << 20, (100 << 20) - OVERHEAD), (1 << 20, HELD)):
            config = a_config(cache=CacheConfig(max_object=200 << 20))
            options = CacheOptions(memory_bytes=memory)
            proxy = TransparentProxy(reactor, config, database_url=":memory:", cache=options)
            assert proxy.foundation.cache is not None
            self.assertEqual(proxy.foundation.cache.budget.left, held, (memory, held))
            await proxy.shutdown()

    async def test_response_that_nobody_reads(self) -> None:
        """A response whose body is never started does not keep the proxy from stopping."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:", drain_seconds=0.05)
        await proxy.respond(ApiRequest(b"GET", b"/v1/x", [], None, Record("id", "GET", "/v1/x", "192.0.2.1", 0.0)))
        self.assertEqual(proxy.generations.current.account.in_flight, 1)
        await proxy.shutdown()
        self.assertEqual(proxy.generations.current.account.in_flight, 0)

    async def test_management_call_in_the_drain(self) -> None:
        """A call that is running when the proxy stops is made whole, and stands in the audit log before its end."""
        proxy, calls, held = await self.managed(drain_seconds=30.0)
        asking = calls.get("http://x.example/manage/projects", headers=AUTHORIZED)
        stopping = proxy.stopService()
        refused = await calls.get("http://x.example/manage/projects", headers=AUTHORIZED)
        self.assertEqual((refused.code, refused.headers.getRawHeaders("Retry-After")), (503, ["5"]))
        self.assertFalse(stopping.called)
        held.callback(Page([], None))
        calls.flush()
        self.assertEqual((await asking).code, 200)
        await stopping
        self.assertEqual(self.noted(), ["audit.open", "audit.start", "project.list", "audit.stop"])

    async def test_management_call_that_hangs(self) -> None:
        """One that does not end keeps the proxy no longer than exchanges may; its answer harms nobody later."""
        proxy, calls, held = await self.managed(drain_seconds=0.05)
        asking = calls.get("http://x.example/manage/projects", headers=AUTHORIZED)
        await proxy.stopService()
        held.callback(Page([], None))
        calls.flush()
        self.assertEqual((await asking).code, 200)
        self.assertNotIn("project.list", self.noted())

    async def managed(self, drain_seconds: float) -> tuple[TransparentProxy, StubTreq, Deferred[Any]]:
        """A proxy, its management, and what its list of projects waits for."""
        self.path = self.mktemp()
        proxy = TransparentProxy(
            reactor,
            a_config(),
            database_url=":memory:",
            management_token="management-canary",
            drain_seconds=drain_seconds,
            audit=AuditOptions(file=self.path, in_database=False),
        )
        proxy.startService()
        await proxy.started
        held: Deferred[Any] = Deferred()
        self.patch(proxy.database.projects, "page", lambda *_, **more: held)
        return proxy, StubTreq(proxy.management_resource()), held

    def noted(self) -> list[str]:
        with open(self.path) as file:
            return [json.loads(line)["action"] for line in file]

    def test_size(self) -> None:
        """What puts everything together does nothing else: it stays on a few pages."""
        self.assertLess(len(inspect.getsource(TransparentProxy).splitlines()), 160)

    async def test_metrics(self) -> None:
        """Who embeds the proxy reads its counters, up to the exchange that ended last."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
        request = ApiRequest(b"GET", b"/v1/x", [], None, Record("id", "GET", "/v1/x", "192.0.2.1", 0.0))
        response = await proxy.respond(request)
        assert response.body is not None
        response.body.stopProducing()
        counted = proxy.metrics()
        self.assertEqual((counted.request_count, counted.error_count), (1, 1))
        self.assertEqual(proxy.metrics().request_count, 1)
        counted.request_count = 100
        counted.cache["hit"] = 100
        self.assertEqual((proxy.metrics().request_count, proxy.metrics().cache["hit"]), (1, 0))
        await proxy.shutdown()

    async def test_set_metrics(self) -> None:
        """Counters of the embedder's own take the place of ours, with everything that is shown and not in a record."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
        first, mine = Record("1", "GET", "/", "", 0.0, status=200), ProxyMetrics()
        second = Record("2", "GET", "/", "", 0.0, status=200, cache="hit")
        proxy.foundation.metering.publisher.publish(first)
        former = proxy.metrics().gauges.keys()
        proxy.set_metrics(mine)
        proxy.foundation.metering.publisher.publish(second)
        shown = proxy.metrics()
        self.assertEqual((shown.request_count, shown.cache["hit"], mine.request_count), (1, 1, 1))
        self.assertEqual((mine.gauges.keys(), mine.openings), (former, {"x": 0}))
        assert proxy.foundation.cache is not None
        self.assertIs(proxy.foundation.cache.counts, mine.cache)
        await proxy.shutdown()

    async def test_set_cache_stats_aggregator(self) -> None:
        """A hit is counted by one of them: what the former had is written down, the other has what comes then."""
        for started in (False, True):
            proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
            if started:
                proxy.startService()
                await proxy.started
            written: list[dict[str, int]] = []
            self.patch(proxy.database.usage, "increment_cache_hit_count_batch", kept(written))
            store = FakeStatsStore()
            mine = CacheStatsAggregator(reactor, store)
            hit = Record("id", "GET", "/", "", 0.0, status=200, cache="hit", token_id="t1")
            proxy.foundation.metering.publisher.publish(hit)
            proxy.set_cache_stats_aggregator(mine)
            proxy.set_cache_stats_aggregator(mine)
            self.assertEqual(mine.is_running, started, started)
            proxy.foundation.metering.publisher.publish(hit)
            await proxy.shutdown()
            self.assertEqual((written, store.total()), ([{"t1": 1}] if started else [], {"t1": 1}), started)
            self.assertFalse(mine.is_running, started)
