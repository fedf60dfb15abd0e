"""Tests for L{llmproxy.web.http1.connection}: what happens to a connection before and besides its requests."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import INegotiated, ISSLTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from llmproxy.core.clientlimits import Limits
from llmproxy.core.descriptors import TURNED_AWAY
from llmproxy.web.connections import ADMITTED, REFUSED, UNWELCOME
from llmproxy.web.http1.channel import LlhttpChannel
from llmproxy.web.http1.connection import ClientConnection
from llmproxy.web.site import ProxySite
from tests.compiled import python_only

from ...tables import row
from ..wire import Client, Streaming, Transport, Whole, get


class Taking:
    """A protocol that connections are handed over to; notes what it gets."""

    transport: Any = None

    def __init__(self) -> None:
        self.events: list[Any] = []

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data)

    def readConnectionLost(self) -> None:
        self.events.append("half closed")

    def connectionLost(self, reason: Failure) -> None:
        self.events.append(reason.type)

    def close_if_idle(self) -> None:
        self.events.append("site closed")

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...


class Site(ProxySite):
    """A site whose HTTP/2 is the test's."""

    def __init__(self, resource: Any, clock: Clock, limits: Limits | None = None) -> None:
        super().__init__(resource, reactor=clock, limits=limits)
        self.http2 = Taking()

    def http2_connection(self) -> Any:
        return self.http2


def over_tls(protocol: bytes, site: ProxySite, clock: Clock) -> tuple[Transport, LlhttpChannel]:
    """A connection over TLS, with what ALPN has agreed on."""
    transport: Any = Transport(clock, "192.0.2.1")
    transport.negotiatedProtocol = protocol
    directlyProvides(transport, ISSLTransport, INegotiated)
    channel = transport.protocol = LlhttpChannel(site)
    channel.makeConnection(transport)
    return transport, channel


class NegotiationTests(SynchronousTestCase):
    def test_http2(self) -> None:
        """A client that agreed on HTTP/2 gets it with its first bytes, and all that follows."""
        site = Site(Whole(), clock := Clock())
        transport, channel = over_tls(b"h2", site, clock)
        self.assertTrue(channel.secure)
        self.assertEqual(site.http2.events, [])
        transport.deliver(b"PRI * ")
        transport.deliver(b"HTTP/2.0")
        site.stopFactory()
        channel.readConnectionLost()
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(
            site.http2.events, ["made", b"PRI * ", b"HTTP/2.0", "site closed", "half closed", ConnectionDone]
        )
        self.assertEqual((site.connections, clock.getDelayedCalls()), (0, []))

    def test_http11(self) -> None:
        """Any other one speaks HTTP/1.1."""
        for protocol in (b"http/1.1", b"", None):
            site = Site(Whole(), clock := Clock())
            transport, _ = over_tls(protocol, site, clock)  # type: ignore[arg-type]
            transport.deliver(get())
            clock.advance(0)
            self.assertIn(b"HTTP/1.1 200 OK", transport.sent)

    def test_too_many(self) -> None:
        """One too many is answered with 503 over HTTP/1.1; HTTP/2 is not begun for that."""
        for protocol, sent, ended in ((b"http/1.1", b"HTTP/1.1 503", "closed"), (b"h2", b"", "reset")):
            site = Site(Whole(), clock := Clock(), Limits(connections=0))
            transport, channel = over_tls(protocol, site, clock)
            self.assertTrue(channel.unwelcome, protocol)
            transport.deliver(get())
            clock.advance(0)
            self.assertEqual((transport.sent[: len(sent)], transport.ended), (sent, ended), protocol)
            self.assertEqual(site.http2.events, [], (protocol, sent, ended))


class AdmissionTests(SynchronousTestCase):
    def test_admitted(self) -> None:
        """The site decides, and the connection obeys."""
        clock = Clock()
        for limits, others, expected in (
            (Limits(), 0, ADMITTED),
            (Limits(connections=0), 0, UNWELCOME),
            (Limits(connections=0), TURNED_AWAY, REFUSED),
            (Limits(connections_per_client=0), 0, REFUSED),
        ):
            site = Site(Whole(), clock, limits)
            for _ in range(others):
                Client(site=site, clock=clock)
            client = Client(site=site, clock=clock)
            self.assertEqual(client.channel.unwelcome, expected == UNWELCOME, (limits, others))
            self.assertEqual(client.ended, "reset" if expected == REFUSED else "", (limits, others))
            self.assertEqual(site.connections, int(expected == ADMITTED), (limits, others))


class HandOverTests(SynchronousTestCase):
    def test_taken_over(self) -> None:
        """A connection that is another protocol's has no timer and no requests, and the bytes that nobody has read."""
        client = Client(resource := Streaming())
        client.send(get() + b"early")
        taking = Taking()
        client.channel.hand_over(taking)
        client.send(b"late")
        self.assertEqual(taking.events, ["made", b"early", b"late"])
        client.wait(200.0)
        self.assertEqual((client.ended, resource.seen[0].left), ("", []))
        client.leave()
        self.assertEqual(taking.events[3:], [ConnectionDone])

    def test_paused(self) -> None:
        """It is read on, even if the requests were not."""
        client = Client(Streaming(), limits=Limits(waiting=2))
        client.send(get() + b"much too early")
        self.assertFalse(client.transport.reading)
        client.channel.hand_over(taking := Taking())
        client.run()
        self.assertEqual((client.transport.reading, taking.events), (True, ["made", b"much too early"]))


class ContractTests(SynchronousTestCase):
    @python_only("it hands in a failure for a refusal")
    def test_left_to_requests(self) -> None:
        """What only a reader of requests knows is left to it."""
        connection = ClientConnection(Site(Whole(), Clock()))
        reason: Any = Failure(ConnectionDone())
        for call, arguments in (
            (connection.refuse_unread, (reason,)),
            (connection.report, (reason,)),
            (connection.requests_done, ()),
            (connection.requests_ended, ()),
            (connection.requests_lost, (reason,)),
            (connection.overdue, ()),
            (connection.close_if_idle, ()),
            (connection.break_off, (True,)),
            (connection.dataReceived, (b"",)),
        ):
            with row(call):
                self.assertRaises(NotImplementedError, call, *arguments)
