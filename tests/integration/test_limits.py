"""What a port does with clients that want too much of it, and what log and metrics tell of them."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from llmproxy.config import APIConfig

from .harness import Wire, get
from .test_vectors import VectorTestCase
from .vectors.limits import LIMITS, SIZES, TIMES


class LimitTests(VectorTestCase):
    def config(self, base_url: str) -> APIConfig:
        return APIConfig({"api": self.api(base_url)}, "api", LIMITS)

    async def test_sizes(self) -> None:
        """Each size has a status of its own."""
        await self.hold(SIZES)

    async def test_times(self) -> None:
        """So has each time; who only waits is let go without a word."""
        await self.hold(TIMES)

    async def test_told(self) -> None:
        """The metrics count what was refused by its reason, and the access log has a line for each."""
        for request, code in ((b"x y z\r\n\r\n", b"malformed_request"), (get(b"/" + b"x" * 200), b"target_too_long")):
            client = await self.send(request)
            await client.until_received(code)
            await client.until_closed()
        client = await self.send(get(b"/metrics"))
        await client.until_received(b'llmproxy_refused_total{reason="target_too_long"} 1.0')
        self.assertIn(b'llmproxy_refused_total{reason="malformed_request"} 1.0', client.received)
        await deferLater(reactor, 0.1)
        with open(self.access_log) as log:
            lines = [json.loads(line) for line in log]
        self.assertEqual(
            [(line["status"], line["error_code"], line["ended"], line["client"]) for line in lines],
            [(400, "malformed_request", "refused", "127.0.0.1"), (414, "target_too_long", "refused", "127.0.0.1")],
        )
        self.assertEqual(lines[1]["detail"], "request target is too long")

    async def test_connections(self) -> None:
        """One address has its share and no more, all together have the whole and no more, and who ends makes room."""
        mine = await self.connected("127.0.0.1", 22)
        self.assertEqual(self.open(mine), 20)
        others = await self.connected("127.0.0.2", 12)
        for one in others:
            one.send(get(b"/live"))
        await deferLater(reactor, 0.2)
        self.assertEqual([b" 503 " in one.received for one in others].count(True), 2)
        self.assertEqual([b" 200 " in one.received for one in others].count(True), 10)
        mine[0].close()
        await mine[0].until_closed()
        await deferLater(reactor, 0.02)
        [again, one_more] = await self.connected("127.0.0.1", 2)
        self.assertIsNone(again.closed)
        self.assertIsNotNone(one_more.closed)
        refusals = self.service.proxy.metrics().refusals
        self.assertEqual((refusals["too_many_connections_of_client"], refusals["too_many_connections"]), (3, 2))

    def open(self, wires: list[Wire]) -> int:
        return sum(wire.closed is None for wire in wires)

    async def connected(self, address: str, count: int) -> list[Wire]:
        """Connections from one of this machine's addresses, once it is known which of them are refused."""
        wires = [Wire() for _ in range(count)]
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, bindAddress=(address, 0))
        connecting: list[Any] = [endpoint.connect(Factory.forProtocol(lambda wire=wire: wire)) for wire in wires]
        self._wires += wires
        await gatherResults(connecting)
        await deferLater(reactor, 0.05)
        return wires
