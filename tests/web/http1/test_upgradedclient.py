"""Connections that were upgraded, both ends of them, through a whole proxy in memory."""

from __future__ import annotations

from twisted.internet.interfaces import IConsumer, IProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.config import TimeoutConfig
from llmproxy.core.websocket import close
from llmproxy.upstream.upgradedupload import Switched
from llmproxy.web.http1.upgradedclient import UpgradedClient
from tests.harness import Exchange, Socket, a_request
from tests.middleware.fakes import HeldBody, Reader
from tests.upstream.wire import Wire

AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class SwitchedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(TimeoutConfig(silence=10.0))
        self.client = self.exchange.client()
        self.upstream = self.switched()

    def switched(self) -> Socket:
        """An exchange that has become another protocol; upstream's end."""
        self.client.receive(a_request(b"/v1/x", b"Connection: Upgrade", b"Upgrade: websocket"))
        self.exchange.turn()
        [upstream] = self.exchange.upstream
        upstream.receive(AGREED)
        self.exchange.turn()
        self.assertIn(b"101 Switching", self.client.take())
        upstream.take()
        return upstream

    def ended(self) -> tuple[str, int, int, int]:
        [record] = self.exchange.records
        self.assertTrue(self.exchange.idle())
        return record.ended, record.status, record.bytes_in, record.bytes_out

    def test_interfaces(self) -> None:
        """Twisted and the relay can drive them."""
        verifyObject(IProtocol, UpgradedClient(HeldBody(), Reader()))  # type: ignore[arg-type]
        socket = Wire().exchange()
        verifyObject(IConsumer, Switched(socket.protocol, b"websocket"))

    def test_both_ways(self) -> None:
        """Every byte passes, in both directions, and is counted; upstream's end is the client's."""
        self.client.receive(b"\0GET /")
        self.upstream.receive(b"\xff0\r\n\r\n")
        self.assertEqual((self.upstream.take(), self.client.take()), (b"\0GET /", b"\xff0\r\n\r\n"))
        self.upstream.close()
        self.assertEqual((self.client.state, self.ended()), ("closed", ("complete", 101, 6, 6)))

    def test_client_leaves(self) -> None:
        """Upstream's connection ends with the client's."""
        self.client.close()
        self.assertEqual((self.upstream.state, self.ended()), ("aborted", ("client_left", 101, 0, 0)))

    def test_revoked(self) -> None:
        """Both connections end when the token is revoked, and both ends are told."""
        self.exchange.revocations.revoke()
        self.assertEqual((self.upstream.state, self.client.state), ("closed", "closed"))
        self.assertIn(self.client.take(), (close(1001), close(1008)))
        self.assertEqual(self.ended()[0], "revoked")

    def test_silence(self) -> None:
        """It is cut when both are silent for too long, and not while one of them speaks; here within a frame."""
        for _ in range(5):
            self.exchange.turn(6)
            self.client.receive(b"x")
        self.assertEqual(self.client.state, "open")
        self.exchange.turn(11)
        self.assertEqual((self.upstream.state, self.client.state), ("aborted", "closed"))
        self.assertEqual(self.client.take(), close(1001), "it was sent nothing but whole frames")
        self.assertEqual(self.ended()[0], "timeout")

    def test_slow_client(self) -> None:
        """A client that does not read has upstream not read from."""
        self.client.fill()
        self.assertFalse(self.upstream.reading)
        self.client.drain()
        self.assertTrue(self.upstream.reading)

    def test_takes_nothing(self) -> None:
        """A client that takes nothing for so long is reset, and upstream with it."""
        self.client.fill()
        for _ in range(6):
            self.exchange.turn(9)
        self.assertEqual(self.client.state, "open")
        for _ in range(2):
            self.exchange.turn(9)
        self.assertEqual((self.upstream.state, self.client.state), ("aborted", "aborted"))
        self.assertEqual(self.ended()[0], "client_left")

    def test_takes_again(self) -> None:
        """One that reads again in time starts anew."""
        for _ in range(3):
            self.client.fill()
            self.exchange.turn(50)
            self.client.drain()
        self.upstream.receive(b"x")
        self.assertEqual((self.client.state, self.client.take()), ("open", b"x"))

    def test_slow_upstream(self) -> None:
        """And the other way round."""
        self.upstream.fill()
        self.assertFalse(self.client.reading)
        self.upstream.drain()
        self.assertTrue(self.client.reading)
