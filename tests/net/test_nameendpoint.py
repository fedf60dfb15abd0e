"""Tests for L{llmproxy.net.nameendpoint}; tests/upstream/test_connector.py connects to several addresses."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.net.nameendpoint import endpoint_to
from llmproxy.net.resolver import Names

from .test_resolver import NameServer


class EndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.server = NameServer()
        self.names = Names(self.reactor, self.server.look_up)

    def connect(self, host: str) -> Deferred[Any]:
        endpoint = endpoint_to(self.reactor, self.names, host, 80, 2.0)
        verifyObject(IStreamClientEndpoint, endpoint)
        return endpoint.connect(Factory.forProtocol(Protocol))

    @property
    def tried(self) -> list[str]:
        return [attempt[0] for attempt in self.reactor.tcpClients]

    def refuse(self) -> None:
        self.reactor.tcpClients.pop()[2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def test_address(self) -> None:
        """An address is nothing to ask for."""
        for address in ("192.0.2.1", "2001:db8::1"):
            self.connect(address)
        self.assertEqual(self.tried, ["192.0.2.1", "2001:db8::1"])
        self.assertEqual(self.server.asked, [])

    def test_names(self) -> None:
        """Whatever the name: that of a container has an underscore."""
        for host in ("llm_server", "up.example", "_x.y_.z."):
            self.reactor.tcpClients.clear()
            self.connect(host)
            self.server.answer(host, "192.0.2.1")
            self.assertEqual(self.tried, ["192.0.2.1"], host)
            self.reactor.tcpClients.clear()
            self.connect(host + "2")
            self.server.answer(host + "2", "192.0.2.1", "2001:db8::1")
            self.reactor.pump([0.1] * 4)
            self.assertEqual(self.tried, ["192.0.2.1", "2001:db8::1"], host)

    def test_not_found(self) -> None:
        """Its failure is the name server's."""
        connecting = self.connect("a")
        self.server.fail("a")
        self.failureResultOf(connecting, DNSLookupError)

    def test_too_late(self) -> None:
        """The name has the time of one address; the question stays for those who come later."""
        connecting = self.connect("a")
        self.reactor.advance(2.0)
        self.failureResultOf(connecting, TimeoutError)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        later = self.connect("a")
        self.server.answer("a", "192.0.2.1")
        self.assertEqual(self.tried, ["192.0.2.1"])
        self.assertNoResult(later)

    def test_refused(self) -> None:
        """Addresses that take no connection are asked for anew."""
        connecting = self.connect("a")
        self.server.answer("a", "192.0.2.1")
        self.refuse()
        self.failureResultOf(connecting, ConnectionRefusedError)
        self.reactor.advance(1.0)
        self.connect("a")
        self.assertEqual(self.server.hosts, ["a"])

    def test_left(self) -> None:
        """Who leaves says nothing against the addresses, and leaves nothing behind."""
        for answered in (False, True):
            connecting = self.connect("a")
            if answered:
                self.server.answer("a", "192.0.2.1")
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError, Exception)
            self.assertEqual(self.reactor.getDelayedCalls(), [], answered)
        self.reactor.advance(2.0)
        self.connect("a")
        self.assertEqual(self.server.hosts, [])
