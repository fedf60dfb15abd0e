"""Tests for L{llmproxy.service}."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from llmproxy.config import APIConfig, APIProviderConfig, CacheConfig
from llmproxy.core.caching.environment import CacheOptions
from llmproxy.errors import ConfigError, Unavailable
from llmproxy.message import ApiRequest, Record
from llmproxy.service import ServiceOptions, TransparentProxy, make_service
from llmproxy.store.engine import open_database

from .store.databases import project, token


def a_config(**changes: Any) -> APIConfig:
    api = APIProviderConfig(
        base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"], dialect="openai", **changes
    )
    return APIConfig({"x": api}, "x")


def options(**changes: Any) -> ServiceOptions:
    values: dict[str, Any] = {
        "apis": a_config(),
        "management_token": "management-canary",
        "encryption_key": bytes(32),
        "database_url": ":memory:",
        "listen": ["tcp:0:interface=127.0.0.1"],
        "access_log": None,
    }
    return ServiceOptions(**{**values, **changes})


class ServiceOptionsTests(TestCase):
    def test_no_secret_in_repr(self) -> None:
        """Options that end up in a log tell no secret."""
        shown = repr(options(database_url="postgresql://user:password-canary@host/db"))
        for secret in ("management-canary", "password-canary", repr(bytes(32))):
            self.assertNotIn(secret, shown)


class ProxyServiceTests(TestCase):
    async def test_listens(self) -> None:
        """The service listens at every endpoint that it is given, and lets go of them when it stops."""
        service = make_service(reactor, options(listen=["tcp:0:interface=127.0.0.1", "unix:" + self.mktemp()]))
        service.startService()
        ports = await service.started
        self.assertEqual(len(ports), 2)
        await service.stopService()

    async def test_port_in_use(self) -> None:
        """A port that is taken fails the start with one line that names it."""
        taken: Any = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(Factory())
        self.addCleanup(taken.stopListening)
        description = f"tcp:{taken.getHost().port}:interface=127.0.0.1"
        service = make_service(reactor, options(listen=["tcp:0:interface=127.0.0.1", description]))
        service.startService()
        error = await self.failing(service.started)
        self.assertEqual(str(error), f"--listen {description}: cannot listen: Address already in use")
        await service.stopService()

    async def test_no_endpoint(self) -> None:
        """So does a description that Twisted does not know."""
        service = make_service(reactor, options(listen=["carrier-pigeon:1"]))
        service.startService()
        error = await self.failing(service.started)
        self.assertIn("--listen carrier-pigeon:1: not an endpoint", str(error))
        await service.stopService()

    async def test_database(self) -> None:
        """A database that cannot be opened fails the start; no port is opened."""
        service = make_service(reactor, options(database_url="sqlite:////proc/none/x.db"))
        service.startService()
        error = await self.failing(service.started)
        self.assertIn("/proc/none/x.db", str(error))
        self.assertEqual(service.ports, [])
        await service.stopService()

    async def failing(self, starting: Deferred[Any]) -> ConfigError:
        try:
            await starting
        except ConfigError as error:
            self.assertEqual(len(str(error).splitlines()), 1)
            return error
        raise AssertionError("it started")


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

    async def test_hits_are_written_down_at_the_end(self) -> None:
        """A hit of the last exchange is in the database when the proxy has stopped."""
        path = self.mktemp()
        proxy = TransparentProxy(reactor, a_config(), database_url=path)
        proxy.startService()
        await proxy.started
        await proxy.database.projects.create(project())
        await proxy.database.tokens.create(token())
        last = Record("id", "GET", "/v1/x", "192.0.2.1", 0.0, token_id="t1", status=200, cache="hit", ended="complete")
        proxy.publisher.publish(last)
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
        assert proxy.cache is not None
        self.assertIs(proxy.metrics().cache, proxy.cache.counts)
        self.assertEqual(proxy.metrics().gauges["llmproxy_cache_bytes"][1](), 0)
        await proxy.shutdown()
        for config, cache in ((a_config(), CacheOptions(enabled=False)), (a_config(cache=CacheConfig(False)), None)):
            proxy = TransparentProxy(reactor, config, database_url=":memory:", cache=cache)
            self.assertIsNone(proxy.cache)
            await proxy.shutdown()

    async def test_response_that_nobody_reads(self) -> None:
        """A response whose body is never started does not keep the proxy from stopping."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:", drain_seconds=0.05)
        await proxy.respond(ApiRequest(b"GET", b"/v1/x", [], None, Record("id", "GET", "/v1/x", "192.0.2.1", 0.0)))
        self.assertEqual(proxy.account.in_flight, 1)
        await proxy.shutdown()
        self.assertEqual(proxy.account.in_flight, 0)

    async def test_metrics(self) -> None:
        """Who embeds the proxy reads its counters, up to the exchange that ended last."""
        proxy = TransparentProxy(reactor, a_config(), database_url=":memory:")
        request = ApiRequest(b"GET", b"/v1/x", [], None, Record("id", "GET", "/v1/x", "192.0.2.1", 0.0))
        response = await proxy.respond(request)
        assert response.body is not None
        response.body.stopProducing()
        self.assertEqual((proxy.metrics().request_count, proxy.metrics().error_count), (1, 1))
        await proxy.shutdown()
