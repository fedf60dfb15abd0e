"""Limits and clients' own credentials over real sockets: HTTP/2, WebSockets, a real Redis."""

from __future__ import annotations

import json
from decimal import Decimal

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.model import MeterConfig
from llmproxy.config.prices import PriceConfig
from llmproxy.config.redis import RedisConfig
from llmproxy.config.upstreams import UpstreamConfig
from llmproxy.config.usagelimits import UsageLimitsConfig
from llmproxy.origin import CredentialPlace
from llmproxy.usagelimits import Overload, UsageLimits

from .harness import MANAGEMENT_TOKEN, ProxyTestCase, Wire, get, post
from .redisserver import MISSING, RedisServer
from .test_http2 import Http2TestCase

CHAT = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
OWN = b"sk-of-the-client-0123456789"


def piece(tokens: int) -> bytes:
    """A chunk with an event that has so many tokens of text."""
    event = b"data: " + json.dumps({"choices": [{"delta": {"content": "abc" * tokens}}]}).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


class Http2HardBudgetTests(Http2TestCase):
    """A stream of HTTP/2 that costs more than a hard budget has."""

    redis = RedisConfig()
    pace, beyond = 0.0, 0
    limits = evolve(Http2TestCase.limits, idle=20.0)

    def config(self, base_url: str) -> APIConfig:
        api = evolve(self.api(base_url), meter=MeterConfig(enabled=True))
        price = PriceConfig("api", "m", input=Decimal(0), output=Decimal(1_000_000))
        return APIConfig({"api": api}, "api", self.limits, prices=(price,), redis=self.redis)

    async def left(self, secret: str) -> Decimal:
        client = await self.connected((b"http/1.1",))
        path = b"/manage/tokens/t-" + secret[-6:].encode()
        client.send(get(path, b"Connection: close").replace(b"TOKEN", MANAGEMENT_TOKEN.encode()))
        await client.until_closed()
        shown = json.loads(client.received.partition(b"\r\n\r\n")[2])
        return Decimal(shown["limits_left"][0]["left"])

    async def test_cut(self) -> None:
        """
        It is reset where the budget ends, upstream's connection with it; the connection goes on, and what was cut is
        spent: the next request is refused.
        """
        secret = await self.new_token(limits=UsageLimits(max_budget=Decimal(5000), hard_budget=True))
        client = await self.connected()
        self.upstream.begin([()], False)
        stream = client.ask("POST", "/v1/chat/completions", secret, ("content-type", "application/json"), body=CHAT)
        await self.upstream.until_seen(1)
        wire = self.upstream.wires[0]
        wire.send(HEAD)
        sent = 0
        while stream not in client.ended and sent < 20:
            sent += 1
            wire.send(piece(500))
            await deferLater(reactor, self.pace)
            await client.until(
                lambda: stream in client.ended or client.contents.get(stream, b"").count(b"data:") >= sent
            )
        self.assertEqual(client.ended[stream], "reset")
        self.assertIn(client.contents[stream].count(b"data:"), range(10, 11 + self.beyond))
        await wire.until_closed()
        await deferLater(reactor, 0.3)
        self.assertEqual([each.error_code for each in self.records], ["budget_exceeded"])
        self.assertEqual(await self.left(secret), 0)
        again = client.ask("POST", "/v1/chat/completions", secret, ("content-type", "application/json"), body=CHAT)
        status, content = await client.answer(again)
        self.assertEqual((status, json.loads(content)["code"]), (b"429", "budget_exceeded"))
        self.assertEqual(await client.answer(client.ask("GET", "/v1/x", self.secret)), (b"200", b"ok"))


class RedisHttp2HardBudgetTests(Http2HardBudgetTests):
    """The same where money is counted in Redis: what comes while that is asked, which is 50 ms at most, passes."""

    pace, beyond = 0.06, 2

    skip = MISSING or Http2HardBudgetTests.skip if hasattr(Http2HardBudgetTests, "skip") else MISSING

    async def setUp(self) -> None:
        self.server = RedisServer().start()
        self.addCleanup(self.server.close)
        self.redis = RedisConfig(f"redis://127.0.0.1:{self.server.port}/0")
        await super().setUp()
        while not self.service.proxy.foundation.limiting.store._pool.available:  # type: ignore[attr-defined]
            await deferLater(reactor, 0.02)


class OverloadTests(ProxyTestCase):
    """More requests than places."""

    def config(self, base_url: str) -> APIConfig:
        limits = UsageLimitsConfig(overload=Overload(2, 1, 5.0))
        return APIConfig({"api": self.api(base_url)}, "api", usage_limits=limits)

    async def test_management_answers(self) -> None:
        """While places and queue are taken, health and management answer, and so do refusals; then all is well."""
        other = await self.new_token()
        held = [await self.send(get(b"/v1/x")), await self.send(get(b"/v1/x").replace(b"TOKEN", other.encode()))]
        for number in range(2):
            await (await self.upstream.wire(number)).until_received(b"\r\n\r\n")
        waiting = await self.send(get(b"/v1/x"))
        await deferLater(reactor, 0.05)
        refused = [await self.send(post(b"x" * 1000)) for _ in range(20)]
        for each in refused:
            await each.until_received(b'"overloaded"')
            self.assertIn(b" 503 ", each.received)
            self.assertIn(b"Retry-After: ", each.received)
        manage = b"Bearer " + MANAGEMENT_TOKEN.encode()
        for path, expected in (
            (b"/health", b" 200 "),
            (b"/ready", b" 200 "),
            (b"/live", b" 200 "),
            (b"/metrics", b" 200 "),
            (b"/manage/projects", b" 200 "),
            (b"/manage/upstreams", b" 200 "),
        ):
            client = await self.send(get(path).replace(b"Bearer TOKEN", manage))
            await client.until_received(b"HTTP/1.1" + expected)
        stranger = await self.send(get().replace(b"TOKEN", b"sk-" + b"B" * 22))
        await stranger.until_received(b" 401 ")
        for number in range(2):
            (await self.upstream.wire(number)).send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        for each in held:
            await each.until_received(b"\r\n\r\nok")
        last = self.upstream.wires[-1]
        await last.until_received(b"\r\n\r\n")
        last.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await waiting.until(lambda: b"\r\n\r\nok" in waiting.received or waiting.received == b"")
        again = await self.send(get(b"/v1/x"))
        await deferLater(reactor, 0.05)
        self.assertNotIn(b"503", again.received)


def client_api(case: ProxyTestCase, base_url: str) -> APIProviderConfig:
    """An API that is asked with clients' own credentials."""
    place = CredentialPlace("header", b"Authorization", b"Bearer ")
    own = UpstreamConfig("own", base_url, credential="client", auth=place)
    return evolve(case.api(base_url), base_url="", upstreams=(own,))


class Http2ClientCredentialTests(Http2TestCase):
    """A client's own credential over HTTP/2."""

    def config(self, base_url: str) -> APIConfig:
        return APIConfig({"api": client_api(self, base_url)}, "api", self.limits)

    async def test_passed_on(self) -> None:
        """It goes on, our token does not; without one the answer is 401."""
        client = await self.connected()
        ours = ("x-llmproxy-token", self.secret)
        stream = client.ask("POST", "/v1/x", OWN.decode(), ours, ("content-length", "3"), body=b"abc")
        self.assertEqual(await client.answer(stream), (b"200", b"ok"))
        self.assertIn(b"Bearer " + OWN, self.upstream.seen[0])
        self.assertNotIn(self.secret.encode(), self.upstream.seen[0])
        status, content = await client.answer(client.ask("GET", "/v1/x", self.secret))
        self.assertEqual((status, b'"credential_missing"' in content), (b"401", True))
        self.assertEqual(len(self.upstream.seen), 1)


class WebSocketClientCredentialTests(ProxyTestCase):
    """The same for a WebSocket."""

    def config(self, base_url: str) -> APIConfig:
        return APIConfig({"api": client_api(self, base_url)}, "api")

    async def asked(self, *fields: bytes) -> Wire:
        asking = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x==", *fields)
        lines = [b"GET /v1/realtime HTTP/1.1", b"Host: proxy", *asking, b"", b""]
        return await self.send(b"\r\n".join(lines))

    async def test_passed_on(self) -> None:
        """It goes on with the handshake, our token does not, and what is said then passes as it is."""
        client = await self.asked(b"Authorization: Bearer " + OWN, b"X-LLMProxy-Token: TOKEN")
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        self.assertIn(b"Authorization: Bearer " + OWN, upstream.received)
        self.assertNotIn(self.secret.encode(), upstream.received)
        upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await client.until_received(b" 101 ")
        upstream.send(b"\x81\x02hi")
        await client.until_received(b"\x81\x02hi")
        refused = await self.asked(b"X-LLMProxy-Token: TOKEN")
        await refused.until_received(b'"credential_missing"')
        self.assertEqual(len(self.upstream.wires), 1)
