"""
The connection below the requests of an HTTP/1.1 client: admission, ALPN, the end, and the protocol that takes it over::

    new --admit--> admitted --first bytes--> requests --hand_over--> another protocol
     |               | one too many: 503       (L{llmproxy.web.http1.channel})
     +--> reset      +--> closing
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import INegotiated, ISSLTransport, ITCPTransport

from ...core.http11 import too_many_connections
from ...core.persistence import HEAD
from ...net.keepalive import keep_alive
from ...net.twistedinternals import sender
from ..clientaddress import host_of
from ..connections import REFUSED, UNWELCOME
from .departure import DepartureWatch
from .halfclose import HalfCloseProbe
from .phasetimer import PhaseTimer
from .sending import Outflow

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress, ITransport
    from twisted.python.failure import Failure

    from ...core.http11 import Refusal
    from ...interfaces import IConnectedProtocol
    from ..contracts import IServerSite


class ClientConnection:
    """
    One connection of a client; a subclass knows what to do with its bytes.

    @ivar send: writes to the client, at once where it can.
    @ivar unwelcome: there are too many connections; every request here is answered with 503.
    @ivar _plain: it is TCP without TLS, which can close one side only.
    @ivar _reading: the transport reads.
    @ivar _lost: the connection is gone, or has been reset.
    @ivar _takes_data: takes what comes in place of the requests: the first bytes, or those of another protocol.
    """

    transport: Any = None
    client_host = ""
    secure = False
    unwelcome = False
    send: Callable[[bytes], object]
    _admitted = False
    _plain = False
    _lost = False
    _reading = True
    _outflow: Outflow
    _timer: PhaseTimer
    _probe: HalfCloseProbe | None = None
    _watch: DepartureWatch | None = None
    _delegate: IConnectedProtocol | None = None
    _takes_data: Callable[[bytes], None] | None = None

    def __init__(self, site: IServerSite) -> None:
        self.site = self.factory = site

    # -- for the requests, which a subclass reads

    def refuse_unread(self, refusal: Refusal) -> None:
        """Answer what came with an error, without reading it, and close."""
        raise NotImplementedError

    def report(self, refusal: Refusal) -> None:
        """Note a refusal."""
        raise NotImplementedError

    def requests_done(self) -> bytes:
        """There will be no more requests: the bytes that were not read."""
        raise NotImplementedError

    def requests_ended(self) -> None:
        """The client sends no more."""
        raise NotImplementedError

    def ended_unread(self, waiting: int) -> None:
        """The client sends no more than the C{waiting} bytes that the system has, which are not read."""
        raise NotImplementedError

    def requests_lost(self, reason: Failure) -> None:
        """The connection is gone."""
        raise NotImplementedError

    def overdue(self) -> None:
        """What is waited for has taken too long."""
        raise NotImplementedError

    def close_if_idle(self) -> None:
        """Close a connection that waits for its next request."""
        raise NotImplementedError

    def break_off(self, framed: bool) -> None:
        """End the connection before its time."""
        raise NotImplementedError

    def dataReceived(self, data: bytes) -> None:
        """Bytes of the client."""
        raise NotImplementedError

    # -- its life

    def makeConnection(self, transport: ITransport) -> None:
        self.transport = transport
        self.client_host = host_of(transport.getPeer())
        # Writing to a connection that is lost does nothing; connectionLost follows.
        self.send = sender(transport, self.site.poller, self.transport.write)
        admission = self.site.admit(self)
        if admission == REFUSED:
            self._lost = True
            self.transport.abortConnection()
            return
        self.unwelcome = admission == UNWELCOME
        self._admitted = True
        self.connectionMade()

    def connectionMade(self) -> None:
        transport = self.transport
        self.site.poller.adopt(transport)
        self.secure = ISSLTransport.providedBy(transport)
        tcp = ITCPTransport.providedBy(transport)
        self._plain = tcp and not self.secure
        if tcp:
            # Head and chunks are written when they are ready: nothing is gained by waiting for more.
            transport.setTcpNoDelay(True)
            keep_alive(transport)
        transport.registerProducer(self, True)
        self._outflow = Outflow(transport)
        self._timer = PhaseTimer(self.site.wheel, self.site.limits, self.overdue)
        if self.unwelcome:
            self._timer.phase = HEAD
            self._takes_data = self._turn_away
        elif self.secure:
            self._takes_data = self._negotiated

    def _turn_away(self, data: bytes) -> None:
        """The client sends something, so it reads too: it gets a 503. HTTP/2 is not worth a start."""
        self._takes_data = None
        if self._speaks_http2():
            self.report(too_many_connections())
            self.break_off(framed=False)
            return
        self.refuse_unread(too_many_connections())

    def _negotiated(self, data: bytes) -> None:
        """The first bytes over TLS: ALPN is settled now."""
        self._takes_data = None
        self.site.poller.handshakes.note_client(self.transport)
        if self._speaks_http2():
            connection = self.site.http2_connection()
            self.hand_over(connection)
            self.transport.registerProducer(connection, True)
        self.dataReceived(data)

    def _speaks_http2(self) -> bool:
        """Whether ALPN has agreed on it."""
        return INegotiated.providedBy(self.transport) and self.transport.negotiatedProtocol == b"h2"

    def hand_over(self, protocol: IConnectedProtocol) -> None:
        """From now on the connection is C{protocol}'s, with the bytes that were read and not used."""
        rest = self.requests_done()
        self._delegate = protocol
        self._takes_data = protocol.dataReceived
        self._stop_timers()
        self.transport.unregisterProducer()
        self.set_reading(True)
        protocol.factory = self.site
        protocol.makeConnection(self.transport)
        if rest:
            protocol.dataReceived(rest)

    def connectionLost(self, reason: Failure) -> None:
        self._lost = True
        self._takes_data = None
        if not self._admitted:
            return
        self._admitted = False
        self.site.released(self)
        self._stop_timers()
        if self._delegate is not None:
            self._delegate.connectionLost(reason)
            return
        self.requests_lost(reason)

    def readConnectionLost(self) -> None:
        """The client sends no more; it may still wait for its answer, RFC 9112 section 9.6."""
        if self._delegate is not None:
            self._delegate.readConnectionLost()
            return
        self._reading = False
        if self._watch is not None:
            self._watch.end()
        self.requests_ended()

    def writeConnectionLost(self) -> None:
        """We have closed our side, and wait for the client to close the other."""

    def set_reading(self, wanted: bool) -> None:
        """Read what comes, or leave it to the system, which slows the client down."""
        if wanted is self._reading:
            return
        self._reading = wanted
        if wanted:
            self.transport.resumeProducing()
            return
        self.transport.pauseProducing()
        # It stays when the connection is read again: this comes and goes many times within one upload.
        if self._probe is None and (self._watch is None or not self._watch.standing):
            self._watch = DepartureWatch(self.site.wheel, self.transport, self._is_paused, self.ended_unread)

    # -- for Twisted

    def stopProducing(self) -> None:
        """L{connectionLost} follows."""

    def isSecure(self) -> bool:
        return self.secure

    def getPeer(self) -> IAddress:
        peer: IAddress = self.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        host: IAddress = self.transport.getHost()
        return host

    def _stop_timers(self) -> None:
        self._timer.end()
        if self._probe is not None:
            self._probe.end()
        if self._watch is not None:
            self._watch.end()

    def _is_paused(self) -> bool:
        return not (self._reading or self._lost)

    def _begin_probe(self, writing: Callable[[], bool]) -> None:
        """The client has closed its side: find out whether it waits."""
        if self._probe is None:
            self._probe = probe = HalfCloseProbe(
                self.site.wheel, self.site.limits.half_closed, self.transport, self.send, writing
            )
            self.send = probe.send
