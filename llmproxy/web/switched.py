"""A client's connection after C{101 Switching Protocols}: its bytes go to upstream, and upstream's to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IConsumer
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer


class SwitchedClient(Protocol):
    """
    Whoever is slow slows the other one down, and whoever leaves closes the connection of the other one.

    @param body: what upstream says; nobody has started it.
    @param upstream: takes what the client says.
    """

    transport: Any
    _producing: Deferred[None] | None = None

    def __init__(self, body: IBodyProducer, upstream: IConsumer) -> None:
        self._body = body
        self._upstream = upstream

    def connectionMade(self) -> None:
        transport = self.transport
        self._producing = producing = self._body.startProducing(self)
        if not producing.called:
            self._upstream.registerProducer(_Client(transport), True)
            transport.registerProducer(self._body, True)
        producing.addCallbacks(self._complete, self._broken)

    def dataReceived(self, data: bytes) -> None:
        if self._producing is not None:
            self._upstream.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        producing, self._producing = self._producing, None
        if producing is not None:
            producing.cancel()

    def write(self, data: bytes) -> None:
        """Called by the body."""
        self.transport.write(data)

    def _complete(self, result: None) -> None:
        if self._producing is not None:
            self._producing = None
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _broken(self, reason: Failure) -> None:
        if self._producing is not None:
            self._producing = None
            self.transport.unregisterProducer()
            self.transport.abortConnection()


@implementer(IPushProducer)
class _Client:
    """The client as producer for upstream; upstream's end is told by the body."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def pauseProducing(self) -> None:
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """See L{SwitchedClient._complete}."""
