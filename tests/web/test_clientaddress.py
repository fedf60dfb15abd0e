"""Whose request it is, for every kind of request."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.core.forwarded import trusted_proxies
from llmproxy.web.clientaddress import client_of


class Site:
    trusted_proxies = trusted_proxies(["10.0.0.0/8", "unix"])


def request(peer: Any, forwarded: str, site: Any = None) -> Any:
    found = DummyRequest([b""])
    found.client = peer
    found.requestHeaders = Headers({"X-Forwarded-For": [forwarded]})
    if site is not None:
        found.site = site
    return found


class ClientTests(SynchronousTestCase):
    def test_our_own(self) -> None:
        """Our own requests know."""

        class Request:
            client_host = "192.0.2.1"

        self.assertEqual(client_of(Request()), "192.0.2.1")

    def test_stock(self) -> None:
        """Of a stock request it is the peer, or whom a trusted proxy tells of where the site trusts any."""
        proxy, stranger = IPv4Address("TCP", "10.0.0.1", 1), IPv4Address("TCP", "192.0.2.9", 1)
        self.assertEqual(client_of(request(proxy, "203.0.113.5")), "10.0.0.1")
        self.assertEqual(client_of(request(proxy, "203.0.113.5", Site())), "203.0.113.5")
        self.assertEqual(client_of(request(stranger, "203.0.113.5", Site())), "192.0.2.9")
        self.assertEqual(client_of(request(UNIXAddress(None), "203.0.113.5", Site())), "203.0.113.5")
        self.assertEqual(client_of(request(UNIXAddress(None), "203.0.113.5")), "")
