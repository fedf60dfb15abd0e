"""The resources beside the proxy."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource

from llmproxy.app.peers import Alone
from llmproxy.app.proxy import TransparentProxy
from llmproxy.app.tree import live_numbers, management_of, put_metrics, put_operations
from llmproxy.config import APIConfig, APIProviderConfig, CacheConfig, ProxyConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.core.tokens import token_hash
from llmproxy.sinks.metrics import ProxyMetrics, Series
from llmproxy.web.manage.live import NumbersView
from llmproxy.web.root import Paths

from ..store.databases import project, token

AUTHORIZED = {"Authorization": "Bearer management-canary"}
JSON = {"Accept": "application/json"}


class MetricsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.metrics = ProxyMetrics()

    def kinds(self, where: str, *paths: str) -> list[Any]:
        """The content type at each path, for somebody who asks for JSON."""
        root = Paths()
        put_metrics(root, where, lambda: succeed(self.metrics))
        client, found = StubTreq(root), []
        for path in paths:
            response = self.successResultOf(client.get(f"http://x.example{path}", headers=JSON))
            (kind,) = response.headers.getRawHeaders("content-type")
            found.append((response.code, kind.partition(";")[0]))
        return found

    def test_one_segment(self) -> None:
        """JSON for who asks for it, and text below, as in the reference."""
        found = self.kinds("/metrics", "/metrics", "/metrics/prometheus", "/metrics/")
        self.assertEqual(found, [(200, "application/json"), (200, "text/plain"), (200, "application/json")])

    def test_several_segments(self) -> None:
        """The same where an operator has them further down; what is above is nothing."""
        found = self.kinds("/internal/metrics", "/internal/metrics", "/internal")
        self.assertEqual(found, [(200, "application/json"), (404, "application/json")])


class LiveNumbersTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """What runs, and what there was since the start, of all workers."""
        metrics = ProxyMetrics()
        metrics.gauge("llmproxy_in_flight", "", lambda: 3.0)
        metrics.request_count, metrics.error_count = 10, 2
        metrics.tokens = {("a", "m", "input"): 5, ("a", "m", "output"): 7, ("a", "m", "reasoning"): 6}
        metrics.costs = {("a", "m"): Decimal("0.25"), ("a", "n"): Decimal("0.5")}
        for seconds in (0.03, 0.04, 8.0):
            series = metrics.series.setdefault(("a", "/v1", "POST", "2xx"), Series())
            series.duration.observe(seconds)
        expected = {"in_flight": 3, "requests": 10, "errors": 2, "cache_hits": 0, "tokens": 12, "cost": "0.75"}
        shown = live_numbers(metrics)
        self.assertEqual({name: shown[name] for name in expected}, expected)
        self.assertLessEqual(shown["latency_p50"], 0.05)
        self.assertIsNone(shown["first_token_p95"])
        self.assertGreater(shown["latency_p95"], 5)
        msgspec.convert(shown, NumbersView)
        self.assertEqual(live_numbers(ProxyMetrics())["in_flight"], 0)


class TreeTests(TestCase):
    def made(self, cached: bool = True, **more: Any) -> TransparentProxy:
        api = APIProviderConfig(
            base_url="http://127.0.0.1:9",
            allowed_endpoints=["/v1"],
            allowed_methods=["GET"],
            dialect="openai",
            cache=CacheConfig(cached),
        )
        proxy = TransparentProxy(
            reactor,
            APIConfig({"x": api}, "x"),
            database_url=":memory:",
            **{"management_token": "management-canary", **more},
        )
        self.addCleanup(proxy.shutdown)
        return proxy

    async def ask(self, resource: Any, path: str) -> tuple[int, Any]:
        """The status and what was said, once whoever answers in a thread has done so."""
        client = StubTreq(resource)
        asking = client.get(f"http://x.example{path}", headers=AUTHORIZED)
        if b"manage" in resource.children:
            await resource.children[b"manage"].idle()
            client.flush()
        response = await asking
        return response.code, await client.content(response)

    async def asked(self, resource: Any, path: str) -> tuple[int, Any]:
        status, body = await self.ask(resource, path)
        return status, json.loads(body)

    async def test_operations(self) -> None:
        """A load balancer hears of the drain at C{/ready}; C{/live} and C{/health} say what they said."""
        proxy = self.made()
        root = Paths()
        put_operations(root, proxy)
        proxy.ending.leave()
        found = [await self.ask(root, path) for path in ("/health", "/live", "/ready", "/healthz", "/livez", "/readyz")]
        self.assertEqual([status for status, _ in found], [200, 200, 503] * 2)
        self.assertIn(b"draining", found[2][1])

    async def test_usage(self) -> None:
        """A token is told about itself at the proxy's own port, embedded too, and at no port of management."""
        proxy = self.made()
        proxy.startService()
        await proxy.started
        database = proxy.database
        await database.projects.create(project())
        secret = "sk-" + "a" * 22
        await database.tokens.create(token(token_hash=token_hash(secret.encode()), expires_at=None))
        tree = Resource()
        tree.putChild(b"llm", proxy.resource(manage=False))
        for root, path in ((proxy.resource(), "/usage"), (tree, "/llm/usage")):
            client = StubTreq(root)
            asking = client.get(f"http://x.example{path}", headers={"x-api-key": secret})
            parent: Any = root if path == "/usage" else tree.children[b"llm"]
            await parent.children[b"usage"].idle()
            client.flush()
            response = await asking
            said = json.loads(await client.content(response))
            self.assertEqual((response.code, said["token_id"]), (200, "t1"), path)
        self.assertNotIn(b"usage", proxy.management_resource().children)

    async def test_metrics_move_along(self) -> None:
        """Where management has a listener of its own, the public one shows no metrics; a token hides them."""
        proxy = self.made(management_token="management-canary")
        self.assertIn(b"metrics", proxy.resource().children)
        self.assertNotIn(b"metrics", proxy.resource(manage=False).children)
        root = proxy.management_resource()
        for path in ("/metrics", "/metrics/prometheus"):
            self.assertEqual((await self.ask_plainly(root, path))[0], 200, path)
        root = self.made(management_token="management-canary", metrics_token="x").management_resource()
        for path in ("/metrics", "/metrics/prometheus"):
            self.assertEqual((await self.ask_plainly(root, path))[0], 401, path)

    async def ask_plainly(self, resource: Any, path: str) -> tuple[int, bytes]:
        client = StubTreq(resource)
        response = await client.get(f"http://x.example{path}")
        return response.code, await client.content(response)

    def test_pages(self) -> None:
        """The pages are where management is, and nowhere unless somebody wants them."""
        proxy = self.made(admin_ui=True)
        self.assertIn(b"admin", proxy.management_resource().children)
        self.assertIn(b"admin", proxy.resource(manage=True).children)
        self.assertNotIn(b"admin", proxy.resource(manage=False).children)
        for off in (self.made(), self.made(admin_ui=True, management_token="")):
            self.assertNotIn(b"admin", off.resource(manage=True).children, off.settings.admin_ui)

    def managed(self, proxy: TransparentProxy) -> Paths:
        root = Paths()
        root.put_path("manage", management_of(proxy))
        return root

    async def test_cache_of_all_workers(self) -> None:
        """Management shows the numbers of all workers."""
        numbers = ProxyMetrics()
        numbers.cache["hit"] = 5
        asked: list[Any] = []

        class Others(Alone):
            def collect_metrics(self, own: Any) -> Deferred[ProxyMetrics]:
                asked.append(own)
                return succeed(numbers)

        root = self.managed(self.made(peers=Others()))
        status, shown = await self.asked(root, "/manage/cache/stats")
        self.assertEqual((status, shown["hits"], len(asked)), (200, 5, 1))

    async def test_without_cache(self) -> None:
        """Where nothing is cached, there is nothing to purge, and management says so."""
        status, shown = await self.asked(self.managed(self.made(False)), "/manage/cache/stats")
        self.assertEqual((status, shown["error"]), (400, "caching is disabled"))

    async def test_swap(self) -> None:
        """Management knows the APIs, the default one and the cache of the configuration that is served now."""
        proxy = self.made(False)
        proxy.startService()
        await proxy.started
        root = self.managed(proxy)
        given = {"api_key": "sk-canary-canary-canary-key", "name": "one"}
        await self.changed(root, "/manage/projects", given)
        config = ProxyConfig("http://127.0.0.1:9", ["/v1"], ["GET"], api_name="y")  # type: ignore[arg-type]
        await proxy.swap(config)
        status, _ = await self.changed(root, "/manage/projects", {**given, "name": "two"})
        self.assertEqual(status, 201)
        projects = {each.name: set(each.api_keys) for each in await proxy.database.projects.list()}
        self.assertEqual(projects, {"one": {"x"}, "two": {"y"}})
        status, shown = await self.changed(
            root, "/manage/projects", {"api_keys": {"x": "sk-canary-canary"}, "name": "3"}
        )
        self.assertEqual(status, 422, shown)
        self.assertEqual((await self.asked(root, "/manage/cache/stats"))[0], 200)
        assert proxy.stored is not None
        # Revocations reach what is running in every generation, and look through nothing that is gone.
        self.assertEqual(len(proxy.stored.directory._tables), 1)

    async def changed(self, root: Any, path: str, body: Any) -> tuple[int, Any]:
        client = StubTreq(root)
        asking = client.post(f"http://x.example{path}", headers=AUTHORIZED, json=body)
        await root.children[b"manage"].idle()
        client.flush()
        response = await asking
        return response.code, json.loads(await client.content(response))

    async def test_audit(self) -> None:
        """Where nothing is noted, audit events are not available; where they are, they are found."""
        status, _ = await self.asked(self.managed(self.made()), "/manage/audit")
        self.assertEqual(status, 503)
        proxy = self.made(audit=AuditOptions(file=None))
        proxy.startService()
        await proxy.started
        status, shown = await self.asked(self.managed(proxy), "/manage/audit")
        self.assertEqual((status, [each["action"] for each in shown["events"]]), (200, ["audit.open", "audit.start"]))
