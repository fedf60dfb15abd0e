"""Tests for L{llmproxy.web.clientcertificate}; those with real handshakes are in tests/integration/test_tls.py."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.clientcertificate import certificate_of


class Transport:
    """@ivar asked: how often it was asked."""

    asked = 0

    def getPeerCertificate(self) -> Any:
        self.asked += 1
        return


class Request:
    def __init__(self, transport: Any, asks: bool) -> None:
        self.transport = transport
        self.site = type("Site", (), {"asks_certificates": asks})()


class CertificateOfTests(SynchronousTestCase):
    def test_once(self) -> None:
        """A connection is asked once, one whose port asks for none not at all."""
        transport = Transport()
        self.assertEqual(certificate_of(Request(transport, False)), "")
        self.assertEqual(transport.asked, 0)
        for _ in range(3):
            self.assertEqual(certificate_of(Request(transport, True)), "")
        self.assertEqual(transport.asked, 1)

    def test_none(self) -> None:
        """In memory, and of a stock site, there is none."""
        self.assertEqual(certificate_of(Request(None, True)), "")
        self.assertEqual(certificate_of(Request(object.__new__(Transport), True)), "")
        self.assertEqual(certificate_of(object()), "")
