"""Tests for L{llmproxy.upstream.connector}."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectBindError, ConnectionRefusedError
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IReactorPluggableNameResolver
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from llmproxy.apisettings import ConnectionSettings
from llmproxy.errors import OutOfResources, UpstreamTimeout, UpstreamUnreachable
from llmproxy.net.resolver import Names
from llmproxy.upstream.client import PooledClient

from .wire import EMPTY, Socket


@implementer(IHostResolution)
class Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Nothing is under way."""


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
class Reactor(MemoryReactorClock):
    """Knows one name."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__()
        self.nameResolver = self
        self._addresses = addresses

    def installNameResolver(self, resolver: Any) -> Any:
        raise AssertionError("nobody brings a resolver of their own")

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Resolution:
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for host in self._addresses:
            kind = IPv6Address if ":" in host else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", host, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution

    @property
    def tried(self) -> list[str]:
        return [attempt[0] for attempt in self.tcpClients]

    def accept(self, number: int) -> Socket:
        return Socket(self, self.tcpClients[number][2].buildProtocol(None))

    def refuse(self, number: int) -> None:
        self.tcpClients[number][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))


class SilentNameServerTests(SynchronousTestCase):
    def test_cause(self) -> None:
        """Where the name server is silent, it is not the host that was late."""
        clock = MemoryReactorClock()
        names = Names(clock, lambda host: Deferred())
        settings = ConnectionSettings(proxy_from_environment=False, connect_timeout=3.0)
        asking = PooledClient(clock, settings, names=names).request("GET", "http://api.test/")
        clock.advance(3.5)
        self.assertEqual(self.failureResultOf(asking, UpstreamTimeout).value.cause, "name_server")


class ConnectorTests(SynchronousTestCase):
    def asked(self, *addresses: str, url: bytes = b"http://up.example/", **settings: Any) -> tuple[Any, Reactor]:
        reactor = Reactor(addresses)
        client = PooledClient(reactor, ConnectionSettings(proxy_from_environment=False, **settings))
        responding: Deferred[Any] = client.request(b"GET", url)
        return responding, reactor

    def test_addresses(self) -> None:
        """An address is connected to without asking for a name."""
        for url, host in ((b"http://192.0.2.1/", "192.0.2.1"), (b"http://[2001:db8::1]/", "2001:db8::1")):
            _, reactor = self.asked(url=url)
            self.assertEqual(reactor.tried, [host], (url, host))

    def test_several_addresses(self) -> None:
        """RFC 8305 section 5: where the first address does not answer, the next one is tried beside it."""
        responding, reactor = self.asked("2001:db8::1", "192.0.2.1")
        reactor.advance(0)
        self.assertEqual(reactor.tried, ["2001:db8::1"])
        reactor.pump([0.1] * 4)
        self.assertEqual(reactor.tried, ["2001:db8::1", "192.0.2.1"])
        reactor.accept(1).say(EMPTY)
        self.assertEqual(self.successResultOf(responding).code, 200)

    def test_refused_at_one(self) -> None:
        """One that refuses is not the last word."""
        responding, reactor = self.asked("192.0.2.1", "192.0.2.2")
        reactor.advance(0)
        reactor.refuse(0)
        reactor.pump([0.1] * 4)
        reactor.accept(1).say(EMPTY)
        self.successResultOf(responding)

    def test_refused_at_all(self) -> None:
        """Where all refuse, upstream is not there."""
        responding, reactor = self.asked("192.0.2.1", "192.0.2.2")
        reactor.pump([0.1] * 4)
        reactor.refuse(0)
        reactor.refuse(1)
        reactor.pump([0.1] * 4)
        self.failureResultOf(responding, UpstreamUnreachable)

    def test_no_descriptor_left(self) -> None:
        """What is kept makes room; where nothing is, it is our own trouble and not upstream's."""
        reactor = Reactor(["192.0.2.1"])
        client = PooledClient(reactor, ConnectionSettings(proxy_from_environment=False))
        first: Deferred[Any] = client.request(b"GET", b"http://192.0.2.9/")
        kept = reactor.accept(0)
        kept.say(EMPTY)
        self.successResultOf(first)
        second: Deferred[Any] = client.request(b"GET", b"http://up.example/")
        self.out_of_descriptors(reactor, 1)
        reactor.advance(0)
        self.assertTrue(kept.aborted)
        self.assertEqual(client.pool.idle, 0)
        reactor.advance(0)
        reactor.accept(2).say(EMPTY)
        self.assertEqual(self.successResultOf(second).code, 200)
        client.shed()
        third: Deferred[Any] = client.request(b"GET", b"http://up.example/")
        self.out_of_descriptors(reactor, 3)
        reactor.pump([0, 0])
        self.failureResultOf(third, OutOfResources)
        self.assertEqual(len(reactor.tried), 4)

    def out_of_descriptors(self, reactor: Reactor, number: int) -> None:
        failure = Failure(ConnectBindError(errno.EMFILE, "Too many open files"))
        reactor.tcpClients[number][2].clientConnectionFailed(None, failure)

    def test_no_such_name(self) -> None:
        """Nor where its name is nobody's."""
        responding, reactor = self.asked()
        reactor.pump([0.1] * 4)
        self.failureResultOf(responding, UpstreamUnreachable)

    def test_too_late(self) -> None:
        """Connecting has a limit of its own, and leaves nothing behind when it is over."""
        responding, reactor = self.asked("192.0.2.1", connect_timeout=2.0)
        reactor.pump([0.1] * 25)
        self.assertEqual(self.failureResultOf(responding, UpstreamTimeout).value.phase, "connect")
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Who leaves while it connects leaves no timer."""
        responding, reactor = self.asked("192.0.2.1", "192.0.2.2")
        reactor.advance(0)
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_closed_within_the_handshake(self) -> None:
        """Upstream that closes within TLS's handshake has seen nothing of the request: anyone may try again."""
        responding, reactor = self.asked(url=b"https://192.0.2.1/")
        socket = reactor.accept(0)
        self.assertNotIn(b"GET", socket.heard())
        socket.hang_up()
        self.failureResultOf(responding, UpstreamUnreachable)
