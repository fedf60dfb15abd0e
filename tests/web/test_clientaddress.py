"""Tests for L{llmproxy.web.clientaddress}."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel, DummyRequest

from llmproxy.core.forwarded import trusted_proxies
from llmproxy.web.clientaddress import client_of, host_of, named_client, peer_of, set_client

from .wire import Client, Streaming, get

TRUSTED = trusted_proxies(["10.0.0.0/8", "unix"])


class ClientTests(SynchronousTestCase):
    def test_our_own(self) -> None:
        """Our own requests know who sent them, and through whom."""
        resource = Streaming()
        client = Client(resource, host="10.0.0.1")
        client.site.trusted_proxies = TRUSTED
        client.send(get(b"/", b"X-Forwarded-For: 203.0.113.5"))
        request = resource.seen[0].request
        self.assertEqual((client_of(request), peer_of(request)), ("203.0.113.5", "10.0.0.1"))

    def test_stock(self) -> None:
        """Of a stock request it is the peer: a stock site trusts no proxy."""
        for peer, host in ((IPv4Address("TCP", "10.0.0.1", 1), "10.0.0.1"), (UNIXAddress(None), "")):
            request: Any = DummyRequest([b""])
            request.client = peer
            request.requestHeaders.setRawHeaders("X-Forwarded-For", ["203.0.113.5"])
            self.assertEqual((client_of(request), peer_of(request)), (host, host), (peer, host))

    def test_remembered(self) -> None:
        """What a tree has found out stays with the request, whatever its kind."""
        Client(resource := Streaming()).send(get())
        for request in (resource.seen[0].request, Request(DummyChannel())):
            set_client(request, "203.0.113.5")
            self.assertEqual((client_of(request), peer_of(request) == "203.0.113.5"), ("203.0.113.5", False), request)

    def test_hosts(self) -> None:
        """Addresses of the network have a host, others have none."""
        for address, host in (
            (IPv4Address("TCP", "192.0.2.1", 1), "192.0.2.1"),
            (IPv6Address("TCP", "2001:db8::1", 1), "2001:db8::1"),
            (UNIXAddress("/run/x.sock"), ""),
            (HostnameAddress(b"a", 1), ""),
        ):
            self.assertEqual(host_of(address), host, (address, host))

    def test_named(self) -> None:
        """A trusted proxy is believed, a stranger is not."""
        fields = [(b"X-Forwarded-For", b"203.0.113.5")]
        for trusted, peer, client in (
            (None, "10.0.0.1", "10.0.0.1"),
            (TRUSTED, "10.0.0.1", "203.0.113.5"),
            (TRUSTED, "192.0.2.9", "192.0.2.9"),
            (TRUSTED, "", "203.0.113.5"),
            (None, "", ""),
        ):
            self.assertEqual(named_client(trusted, peer, fields), client, (trusted, peer))
