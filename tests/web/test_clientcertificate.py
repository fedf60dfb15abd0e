"""Tests for L{llmproxy.web.clientcertificate}; those with real handshakes are in tests/integration/test_tls.py."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface import implementer

from llmproxy.web.basicrequest import BasicRequest
from llmproxy.web.clientcertificate import certificate_of
from llmproxy.web.site import ProxySite


@implementer(ISSLTransport)
class Transport(StringTransport):
    """@ivar asked: how often it was asked."""

    asked = 0

    def getPeerCertificate(self) -> Any:
        self.asked += 1
        return


def a_request(transport: Any, asks: bool) -> Any:
    request: Any = BasicRequest.__new__(BasicRequest)
    request.transport = transport
    request.site = ProxySite(Resource(), reactor=Clock())
    request.site.asks_certificates = asks
    return request


class CertificateOfTests(SynchronousTestCase):
    def test_once(self) -> None:
        """A connection is asked once, one whose port asks for none not at all."""
        transport = Transport()
        self.assertEqual(certificate_of(a_request(transport, False)), "")
        self.assertEqual(transport.asked, 0)
        for _ in range(3):
            self.assertEqual(certificate_of(a_request(transport, True)), "")
        self.assertEqual(transport.asked, 1)

    def test_none(self) -> None:
        """In clear, and of a stock site, there is none."""
        self.assertEqual(certificate_of(a_request(StringTransport(), True)), "")
        self.assertEqual(certificate_of(object()), "")
