"""The cache over real sockets: the OpenAI SDK that opts in, a crowd that asks the same, a token that is spent."""

from __future__ import annotations

from typing import Any

import openai
from attrs import evolve
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThread

from llmproxy.config import APIProviderConfig, CacheConfig

from .harness import ProxyTestCase, get
from .test_sdks import ASK, SdkTestCase

OPT_IN = {"Cache-Control": "public, max-age=60"}
SHAREABLE = b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"


class SdkCacheTests(SdkTestCase):
    def api(self, base_url: str) -> APIProviderConfig:
        return evolve(super().api(base_url), cache=CacheConfig(post="opt_in", streams=True))

    @property
    def attempts(self) -> int:
        return sum(record.attempts for record in self.records)

    async def test_same_question(self) -> None:
        """A program that opts in has the same question answered once by the provider; its SDK notices nothing."""

        def ask() -> Any:
            return self.openai().chat.completions.create(model="demo", messages=ASK, extra_headers=OPT_IN)

        first, second = await deferToThread(ask), await deferToThread(ask)
        self.assertEqual((first, self.attempts), (second, 1))
        self.assertEqual([record.cache for record in self.records], ["uri-miss", "hit"])

    async def test_same_stream(self) -> None:
        """The same with a stream, event by event."""

        def ask() -> list[Any]:
            stream = self.openai().chat.completions.create(
                model="demo", messages=ASK, stream=True, extra_headers=OPT_IN
            )
            return list(stream)

        first, second = await deferToThread(ask), await deferToThread(ask)
        self.assertEqual((first, self.attempts), (second, 1))
        self.assertGreater(len(first), 3)

    async def test_spent_token(self) -> None:
        """A spent token gets nothing, though the answer is there; before, a hit uses up nothing."""
        client = self.openai(await self.new_token(max_requests=2))

        def ask(text: str) -> Any:
            messages: Any = [{"role": "user", "content": text}]
            return client.chat.completions.create(model="demo", messages=messages, extra_headers=OPT_IN)

        for _ in range(3):
            await deferToThread(ask, "one")
        await deferToThread(ask, "two")
        failing = deferToThread(ask, "one")
        await self.assertFailure(failing, openai.RateLimitError)
        self.assertEqual(self.attempts, 2)


class CrowdTests(ProxyTestCase):
    async def test_one_call(self) -> None:
        """Two hundred clients that ask the same at once make one call; one that leaves harms nobody."""
        clients = await DeferredList(
            [Deferred.fromCoroutine(self.send(get())) for _ in range(200)], fireOnOneErrback=True
        )
        crowd = [client for _, client in clients]
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(SHAREABLE + b"3\r\none\r\n")
        await DeferredList([client.until_received(b"one") for client in crowd], fireOnOneErrback=True)
        crowd.pop(0).close()
        wire.send(b"3\r\ntwo\r\n0\r\n\r\n")
        await DeferredList([client.until_received(b"0\r\n\r\n") for client in crowd], fireOnOneErrback=True)
        self.assertEqual({client.received.count(b"two") for client in crowd}, {1})
        self.assertEqual((len(self.upstream.wires), wire.received.count(b"GET /v1/x")), (1, 1))

    async def test_large(self) -> None:
        """A large answer that was stored while it flowed comes back as it was, to a slow reader too, and in parts."""
        content = b"".join(b"%07d\n" % number for number in range(1 << 17))
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(SHAREABLE.replace(b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(content)) + content)
        await client.until(lambda: client.received.endswith(content))
        slow = await self.client()
        slow.transport.pauseProducing()  # type: ignore[union-attr]
        slow.send(get().replace(b"TOKEN", self.secret.encode()))
        for start, end in ((0, 9), (100_000, 1_000_000)):
            part = await self.send(get(b"/v1/x", b"Range: bytes=%d-%d" % (start, end)))
            await part.until(lambda part=part, start=start, end=end: part.received.endswith(content[start : end + 1]))
            self.assertIn(b" 206 ", part.received)
        slow.transport.resumeProducing()  # type: ignore[union-attr]
        await slow.until(lambda: slow.received.endswith(content))
        self.assertIn(b"llmproxy; hit", slow.received)
        self.assertEqual(len(self.upstream.wires), 1)

    async def test_metrics(self) -> None:
        """What the cache did stands among the metrics."""
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(SHAREABLE + b"3\r\none\r\n0\r\n\r\n")
        await client.until_received(b"0\r\n\r\n")
        client.send(get().replace(b"TOKEN", self.secret.encode()))
        await client.until_received(b"llmproxy; hit")
        scrape = await self.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n")
        await scrape.until_received(b"cache_stores")
        for number in (b'"cache_hits":1', b'"cache_misses":1', b'"cache_stores":1'):
            self.assertIn(number, scrape.received)
        text = await self.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await text.until_received(b"llmproxy_cache_entries 1.0")
        self.assertIn(b"llm_proxy_cache_hits_total 1.0", text.received)
