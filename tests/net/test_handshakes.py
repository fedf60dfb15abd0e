"""Tests for L{llmproxy.net.handshakes}; sessions of before are in tests/integration."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.handshakes import Handshakes

from ..integration.certificates import Authority
from .test_tlssender import Pair


class HandshakeTests(SynchronousTestCase):
    def test_counted(self) -> None:
        """At each end by itself; what cannot be known is no resumption."""
        pair = Pair(Authority(self.mktemp()).issue("one.example"), SSL.TLS1_3_VERSION)
        pair.greet()
        counted, unknown = Handshakes(), StringTransport()
        transports: tuple[Any, ...] = (pair.tls, unknown)
        for transport in transports:
            counted.note_client(transport)
        counted.note_upstream(unknown)
        found = counted.clients, counted.clients_resumed, counted.upstream, counted.upstream_resumed
        self.assertEqual(found, (2, 0, 1, 0))
