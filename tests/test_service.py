"""Tests for L{llmproxy.service}."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from llmproxy import service
from llmproxy.app import proxy as transparent
from llmproxy.app import standardchain
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.errors import ConfigError
from llmproxy.service import Settings, make_service


def a_config(**changes: Any) -> APIConfig:
    api = APIProviderConfig(
        base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"], dialect="openai", **changes
    )
    return APIConfig({"x": api}, "x")


def options(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "apis": a_config(),
        "management_token": "management-canary",
        "encryption_key": bytes(32),
        "database_url": ":memory:",
        "listen": ["tcp:0:interface=127.0.0.1"],
        "access_log": None,
    }
    return Settings(**{**values, **changes})


class SettingsTests(TestCase):
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


class NamesTests(TestCase):
    def test_one_place(self) -> None:
        """Who embeds the proxy finds everything in C{llmproxy.service}."""
        self.assertIs(service.TransparentProxy, transparent.TransparentProxy)
        self.assertIs(service.standard_chain, standardchain.standard_chain)
