"""The connection of a client after C{101 Switching Protocols}: its bytes go to upstream, and upstream's to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from zope.interface import implementer

from ...core.framebounds import FrameBounds
from ...core.websocket import GOING_AWAY, POLICY_VIOLATION, close
from ...errors import TokenRevoked, UpstreamTimeout
from ...net.twistedinternals import unwritten
from .sending import SendDeadline

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IConsumer
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..contracts import IServerSite


class UpgradedClient(Protocol):
    """
    The client's side of an upgraded connection: each side is slowed down by the other one, and ends with it.

    A client that takes nothing of what waits for it is reset after C{limits.send_silence}, also of the last bytes.

    @ivar factory: the site of the connection, set before it is made.
    @param body: the bytes of upstream, as a body that has not been started.
    @param upstream: takes the bytes of the client.
    """

    transport: Any
    factory: IServerSite
    _deadline: SendDeadline
    _producing: Deferred[None] | None = None

    def __init__(self, body: IBodyProducer, upstream: IConsumer) -> None:
        self._body = body
        self._upstream = upstream
        self._bounds = FrameBounds()

    def connectionMade(self) -> None:
        transport, site = self.transport, self.factory
        self._deadline = SendDeadline(site.wheel, site.limits.send_silence, transport)
        self._producing = producing = self._body.startProducing(self)
        if not producing.called:
            self._upstream.registerProducer(_Source(transport), True)
            transport.registerProducer(_BoundedSource(self._body, self._deadline), True)
        producing.addCallbacks(self._complete, self._broken)

    def dataReceived(self, data: bytes) -> None:
        if self._producing is not None:
            self._upstream.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._deadline.stop()
        producing, self._producing = self._producing, None
        if producing is not None:
            self._upstream.unregisterProducer()
            producing.cancel()

    def readConnectionLost(self) -> None:
        """A client that sends no more is not answered either: neither protocol knows such an end."""
        self._close()

    def close_if_idle(self) -> None:
        """Such a connection is in use until one of the sides ends it."""

    def write(self, data: bytes) -> None:
        """Called by the body."""
        self._bounds.feed(data)
        self.transport.write(data)

    def _complete(self, result: None) -> None:
        if self._producing is not None:
            self._producing = None
            self.transport.unregisterProducer()
            self._close()

    def _broken(self, reason: Failure) -> None:
        if self._producing is not None:
            self._producing = None
            transport, bounds = self.transport, self._bounds
            transport.unregisterProducer()
            code = _code_of(reason)
            if code is None or unwritten(transport) or not bounds.between:
                transport.abortConnection()
                return
            if not bounds.closed:
                transport.write(close(code))
            self._close()

    def _close(self) -> None:
        """In order: what was written is sent first, unless the client takes nothing of it."""
        self._deadline.start()
        self.transport.loseConnection()


def _code_of(reason: Failure) -> int | None:
    """
    The close code of what the proxy has ended, RFC 6455 section 7.4.1; C{None} where upstream broke it off.

    A cancelled body was cancelled by the proxy: a client that has left gets no code.
    """
    if reason.check(UpstreamTimeout, CancelledError):
        return GOING_AWAY
    return POLICY_VIOLATION if reason.check(TokenRevoked) else None


@implementer(IPushProducer)
class _Source:
    """One side as producer for the other; its end comes as C{connectionLost}, or as that of the body."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def pauseProducing(self) -> None:
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        self._source.resumeProducing()

    def stopProducing(self) -> None:
        """See L{UpgradedClient._complete}."""


class _BoundedSource(_Source):
    """Upstream as the producer for a client, which has to read on when it is full."""

    def __init__(self, source: Any, deadline: SendDeadline) -> None:
        super().__init__(source)
        self._deadline = deadline

    def pauseProducing(self) -> None:
        self._deadline.start()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._deadline.stop()
        super().resumeProducing()
