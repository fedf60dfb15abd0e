"""Tests for L{llmproxy.upstream.http2.negotiation}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.net.poller import Poller
from llmproxy.upstream.connection import Connection
from llmproxy.upstream.http2.connection import SharedConnection
from llmproxy.upstream.http2.negotiation import Negotiation

from ..wire import Owner


class Tls(StringTransport):
    """A connection over TLS, as its protocol sees it."""

    negotiatedProtocol: bytes | None = None
    wrappedProtocol: Any = None
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class SharedOwner(Owner):
    def now(self) -> float:
        return 0.0


class NegotiationTests(SynchronousTestCase):
    def begun(self) -> tuple[Negotiation, Tls]:
        poller = Poller(Clock())
        owner: Any = SharedOwner()
        tls: Any = object()
        negotiation = Negotiation(
            lambda: Connection(owner, poller=poller, tls=tls),
            lambda: SharedConnection(owner, poller=poller, tls=None, head_limit=65_536),
            poller,
        )
        transport = Tls()
        transport.wrappedProtocol = negotiation
        negotiation.makeConnection(transport)
        return negotiation, transport

    def test_chosen(self) -> None:
        """What upstream has chosen speaks from then on; HTTP/1.1 where it has chosen nothing."""
        for chosen, kind, said in (
            (b"h2", SharedConnection, b"PRI * HTTP/2.0"),
            (b"http/1.1", Connection, b""),
            (None, Connection, b""),
        ):
            negotiation, transport = self.begun()
            verifyObject(IHandshakeListener, negotiation)
            self.assertFalse(negotiation.ready.called, chosen)
            transport.negotiatedProtocol = chosen
            negotiation.handshakeCompleted()
            connection = self.successResultOf(negotiation.ready)
            self.assertIsInstance(connection, kind)
            self.assertIs(transport.wrappedProtocol, connection, chosen)
            self.assertEqual(transport.value()[:14], said, chosen)

    def test_lost(self) -> None:
        """A handshake that fails says why."""
        negotiation, _ = self.begun()
        negotiation.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(negotiation.ready, ConnectionDone)

    def test_cancelled(self) -> None:
        """Nobody waits any more: what is open is closed, and what comes then is not listened to."""
        negotiation, transport = self.begun()
        negotiation.ready.cancel()
        self.failureResultOf(negotiation.ready, CancelledError)
        self.assertTrue(transport.aborted)
        negotiation.handshakeCompleted()
        negotiation.connectionLost(Failure(ConnectionDone()))
        self.assertIs(transport.wrappedProtocol, negotiation)
