"""Tests for L{llmproxy.upstream.hostpool}, through the client that uses it."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ConnectionSettings
from llmproxy.errors import Draining, UpstreamReset, UpstreamUnreachable
from llmproxy.net.timers import TimerWheel
from llmproxy.upstream.client import PooledClient
from llmproxy.upstream.hostpool import SPARE_FOR, Overloaded
from tests.harness import Socket

from ..tables import row

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class PoolTests(SynchronousTestCase):
    def client(self, **settings: Any) -> PooledClient:
        self.clock = Clock()
        self.clock.advance(100)
        self.sockets: list[Socket] = []
        self.connecting: list[Deferred[Any]] = []
        self.slow = False
        self.pooled = PooledClient(
            self.clock,
            ConnectionSettings(proxy_from_environment=False, **settings),
            wheel=TimerWheel(self.clock),
            endpoint_for=lambda host, port: self,  # type: ignore[arg-type,return-value]
        )
        return self.pooled

    def connect(self, factory: Any) -> Deferred[Any]:
        """Our endpoint: connects at once, or when the test lets it."""
        connected: Deferred[Any] = Deferred()

        def finish() -> None:
            protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.9", 80))
            self.sockets.append(Socket(protocol, "192.0.2.9"))
            connected.callback(protocol)

        self.finish = finish
        self.connecting.append(connected)
        if not self.slow:
            finish()
        return connected

    def ask(self, method: bytes = b"GET", data: bytes | None = None) -> Deferred[Any]:
        return self.pooled.request(method, b"http://up.example/x", data=data)

    def turn(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.clock.advance(0.1)

    def test_reused(self) -> None:
        """A connection whose exchange has ended well carries the next one; the last one in is the first one out."""
        self.client()
        first, second = self.ask(), self.ask()
        for socket in self.sockets:
            socket.receive(OK)
        self.successResultOf(first)
        self.successResultOf(second)
        self.ask()
        self.assertEqual((len(self.sockets), self.pooled.pool.reused), (2, 1))
        self.assertEqual([socket.sent.count(b"GET") for socket in self.sockets], [1, 2])

    def test_idle_timeout(self) -> None:
        """A connection that nobody needs is closed after its time."""
        self.client(idle_timeout=5.0)
        self.ask()
        self.sockets[0].receive(OK)
        self.turn(4.5)
        self.assertEqual(self.sockets[0].state, "open")
        self.turn(1.5)
        self.assertNotEqual(self.sockets[0].state, "open")
        self.assertEqual((self.pooled.pool.idle, self.clock.getDelayedCalls()), (0, []))

    def test_upstream_says_how_long(self) -> None:
        """C{Keep-Alive: timeout=} is obeyed, a second before; servers that say nothing have four seconds."""
        for said, before, after in ((b"", 3.5, 1.0), (b"timeout=2", 0.5, 1.0), (b"timeout=8, max=9", 6.5, 1.0)):
            self.client()
            self.ask()
            self.sockets[-1].receive(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: " + said + b"\r\n\r\n"))
            self.turn(before)
            self.assertEqual(self.sockets[-1].state, "open", said)
            self.turn(after)
            self.assertNotEqual(self.sockets[-1].state, "open", said)
        self.client()
        self.ask()
        self.sockets[-1].receive(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=0\r\n\r\n"))
        self.assertNotEqual(self.sockets[-1].state, "open")

    def test_lifetime(self) -> None:
        """However busy a connection is, it is old one day, and the next one asks for the address anew."""
        self.client(max_lifetime=10.0, max_connections_per_host=1, idle_timeout=60.0)
        for _ in range(3):
            self.ask()
            self.sockets[-1].receive(OK)
            self.turn(4.0)
        self.assertEqual(len(self.sockets), 1)
        first, second = self.ask(), self.ask()
        self.assertEqual((len(self.sockets), self.sockets[0].state), (2, "closed"), "too old when it was needed")
        self.turn(11.0)
        self.assertEqual(self.sockets[1].state, "open", "it is at work")
        self.sockets[1].receive(OK)
        self.successResultOf(first)
        self.assertEqual((len(self.sockets), self.sockets[1].state), (3, "closed"), "too old for who waits")
        self.sockets[2].receive(OK)
        self.successResultOf(second)

    def test_idle_limit(self) -> None:
        """Beyond the limit connections are kept as long as they are in demand, and closed soon after."""
        self.client(max_idle_per_host=1)
        for _ in range(3):
            self.ask()
        for socket in self.sockets:
            socket.receive(OK)
        self.assertEqual(self.pooled.pool.idle, 3)
        self.turn(SPARE_FOR + 0.5)
        self.assertEqual(self.pooled.pool.idle, 1)
        # The last one in is the one that would be used next.
        self.assertEqual([socket.state == "open" for socket in self.sockets], [False, False, True])

    def test_connection_limit(self) -> None:
        """With a limit of connections requests wait their turn; one too many is refused at once."""
        self.client(max_connections_per_host=1, max_waiting_per_host=1)
        first, second, third = self.ask(), self.ask(), self.ask()
        self.failureResultOf(third, Overloaded)
        self.sockets[0].receive(OK)
        self.successResultOf(first)
        self.assertNoResult(second)
        self.sockets[0].receive(OK)
        self.successResultOf(second)
        self.assertEqual(len(self.sockets), 1)

    def test_waiting_may_leave(self) -> None:
        """Who waits for a connection and leaves is not served."""
        self.client(max_connections_per_host=1)
        first, second = self.ask(), self.ask()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.sockets[0].receive(OK)
        self.successResultOf(first)
        self.assertEqual(self.sockets[0].sent.count(b"GET"), 1)

    def test_connecting_may_be_cancelled(self) -> None:
        """Who leaves while a connection is opened has it not opened for nothing."""
        self.client()
        self.slow = True
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertTrue(self.connecting[0].called)
        self.assertEqual(self.pooled.pool.connections, 0)

    def test_refused(self) -> None:
        """Nobody there: said so, and the next request tries again."""
        self.client()
        self.slow = True
        asking = self.ask()
        self.connecting[0].errback(ConnectionRefusedError())
        self.failureResultOf(asking, UpstreamUnreachable)
        self.slow = False
        again = self.ask()
        self.sockets[0].receive(OK)
        self.successResultOf(again)

    def test_closed_while_idle(self) -> None:
        """A connection that upstream closes while it is idle is forgotten at once."""
        self.client()
        self.ask()
        self.sockets[0].receive(OK)
        self.sockets[0].close()
        self.assertEqual((self.pooled.pool.idle, self.pooled.pool.connections), (0, 0))

    def test_repeated(self) -> None:
        """RFC 9112 section 9.3.1: a safe request is repeated once on a fresh connection, others are not."""
        for method, data, repeated in ((b"GET", None, True), (b"DELETE", None, False), (b"POST", b"x", False)):
            self.client()
            self.ask()
            self.sockets[0].receive(OK)
            asking = self.ask(method, data)
            self.sockets[0].close()
            self.assertEqual(len(self.sockets), 1 + repeated, method)
            if repeated:
                self.sockets[1].close()
            self.failureResultOf(asking, UpstreamReset)
            self.assertEqual(len(self.sockets), 1 + repeated, method)

    def test_answered_is_not_repeated(self) -> None:
        """A safe request whose answer had begun is not repeated, on however old a connection."""
        self.client()
        self.ask()
        self.sockets[0].receive(OK)
        asking = self.ask()
        self.sockets[0].receive(OK[:12])
        self.sockets[0].close()
        error = self.failureResultOf(asking, UpstreamReset).value
        self.assertEqual((error.progress, len(self.sockets)), ("answered", 1))

    def test_first_connection_is_not_repeated(self) -> None:
        """A fresh connection that breaks is no crossing: upstream does not want to."""
        self.client()
        asking = self.ask()
        self.sockets[0].close()
        self.failureResultOf(asking, UpstreamReset)
        self.assertEqual(len(self.sockets), 1)

    def test_quiet(self) -> None:
        """It is while nothing is being connected, sent, read, or waits for its turn."""
        client = self.client(max_connections_per_host=1)
        self.assertTrue(client.pool.is_quiet)
        self.slow = True
        first, second = self.ask(), self.ask()
        self.assertFalse(client.pool.is_quiet)
        self.finish()
        self.assertFalse(client.pool.is_quiet)
        second.addErrback(lambda _: None)
        second.cancel()
        self.assertFalse(client.pool.is_quiet)
        self.sockets[0].receive(OK)
        self.successResultOf(first).body.startProducing(self)
        self.assertTrue(client.pool.is_quiet)

    def write(self, data: bytes) -> None:
        """As a consumer."""

    def test_close_kept(self) -> None:
        """A kept connection is closed in order; one that does not close for a second is cut."""
        for stuck, state in ((False, "closed"), (True, "aborted")):
            self.client()
            self.ask()
            socket = self.sockets[-1]
            socket.receive(OK)
            if stuck:
                socket.loseConnection = lambda: None  # type: ignore[method-assign]
            closing = self.pooled.close()
            if stuck:
                with row(stuck):
                    self.assertNoResult(closing)
                self.turn(1.2)
            self.successResultOf(closing)
            self.turn(0.3)
            self.assertEqual((socket.state, self.clock.getDelayedCalls()), (state, []), (stuck, state))

    def test_close(self) -> None:
        """Closing ends what runs, waits and connects, fires when all is closed, and leaves no timer."""
        self.client(max_connections_per_host=2)
        running = self.ask()
        self.slow = True
        connecting, waiting = self.ask(), self.ask()
        self.successResultOf(self.pooled.close())
        for asking in (running, connecting, waiting):
            self.failureResultOf(asking, Draining)
        self.failureResultOf(self.ask(), Draining)
        self.turn(0.3)
        self.assertEqual((self.pooled.pool.connections, self.clock.getDelayedCalls()), (0, []))
