"""Tests for L{llmproxy.workers.reuseport}."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from llmproxy.errors import ConfigError
from llmproxy.workers.reuseport import ReusingPorts
from llmproxy.workers.sockets import open_held, open_port
from tests.integration.harness import Wire


class Greeting(Wire):
    def connectionMade(self) -> None:
        self.send(b"hello")


class PortTests(TestCase):
    async def opened(self, port: int, more: str = ":reuse_port=yes") -> Any:
        description = f"tcp:{port}:interface=127.0.0.1{more}"
        listening: Any = await open_port(reactor, description, Factory.forProtocol(Greeting))
        self.addCleanup(listening.stopListening)
        return listening

    async def test_two(self) -> None:
        """Two may listen at one port that both say it of; when one stops, the other serves all that come."""
        first = await self.opened(0)
        port = first.getHost().port
        second = await self.opened(port)
        self.assertEqual(second.getHost().port, port)
        await first.stopListening()
        for _ in range(4):
            wire: Any = Wire()
            await TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(Factory.forProtocol(lambda wire=wire: wire))
            await wire.until_received(b"hello")
            wire.close()
            await wire.until_closed()

    async def test_alone(self) -> None:
        """Who does not say it gets no port that another has, and nobody gets theirs."""
        for one, other in (("", ":reuse_port=yes"), (":reuse_port=yes", ""), ("", ""), (":reuse_port=no", "")):
            port = (await self.opened(0, one)).getHost().port
            error = await self.assertFailure(self.opened_later(port, other), ConfigError)
            self.assertIn("cannot listen: Address already in use", str(error), (one, other))

    def opened_later(self, port: int, more: str) -> Any:
        return open_port(reactor, f"tcp:{port}:interface=127.0.0.1{more}", Factory.forProtocol(Greeting))

    async def test_held(self) -> None:
        """The socket that a parent holds for its workers may be one of these too."""
        first = await self.opened(0)
        held = await open_held(reactor, f"tcp:{first.getHost().port}:interface=127.0.0.1:reuse_port=yes")
        self.assertEqual(held.port.getHost().port, first.getHost().port)
        await held.close()

    async def test_not_there(self) -> None:
        """A system without it says so."""
        self.patch(socket, "SO_REUSEPORT", None)
        with self.assertRaises(CannotListenError) as caught:
            ReusingPorts(reactor).listenTCP(0, Factory())
        self.assertIn("does not have it", str(caught.exception))
