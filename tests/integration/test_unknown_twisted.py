"""Exchanges over sockets, with a Twisted of which nothing private is known."""

from __future__ import annotations

from llmproxy.net import twistedinternals

from .harness import ProxyTestCase, get, post

SIZE = 3_000_000
"""Bytes, so that a socket does not take it at once."""


class UnknownTwistedTests(ProxyTestCase):
    async def setUp(self) -> None:
        self.patch(twistedinternals, "MISSING", ("_tempDataBuffer",))
        await super().setUp()

    async def test_exchanges(self) -> None:
        """Large bodies pass each way, and a connection is used again."""
        body = bytes(range(256)) * (SIZE // 256)
        client = await self.send(post(body))
        wire = await self.upstream.wire()
        await wire.until_received(body)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await client.until_received(body)
        client.send(get().replace(b"TOKEN", self.secret.encode()))
        await wire.until_received(b"GET /v1/x HTTP/1.1\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.until_received(b"\r\n\r\nok")
        self.assertEqual([record.ended for record in self.records], ["complete"] * 2)
        self.assertEqual(self.service.proxy.foundation.poller._masks, {})
