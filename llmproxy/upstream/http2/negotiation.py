"""The beginning of a connection over TLS on which HTTP/2 was offered: upstream chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from ...net.poller import Poller
    from ..connection import Connection
    from .connection import SharedConnection

HTTP2 = b"h2"


@implementer(IHandshakeListener)
class Negotiation(protocol.Protocol):
    """
    @ivar ready: fires with the connection that can take a request; cancelling it closes what is open.
    @param http1: makes a connection of HTTP/1.1.
    @param http2: makes one of HTTP/2.
    """

    def __init__(self, http1: Callable[[], Connection], http2: Callable[[], SharedConnection], poller: Poller) -> None:
        self._http1 = http1
        self._http2 = http2
        self._poller = poller
        self.ready: Deferred[Any] = Deferred(lambda _: self._abort())

    def connectionMade(self) -> None:
        self._poller.adopt(self.transport)

    def handshakeCompleted(self) -> None:
        if self.ready.called:
            return
        transport: Any = self.transport
        connection: Any = self._http2() if transport.negotiatedProtocol == HTTP2 else self._http1()
        transport.wrappedProtocol = connection
        connection.makeConnection(transport)
        if IHandshakeListener.providedBy(connection):
            connection.handshakeCompleted()
        else:
            self._poller.handshakes.note_upstream(transport)
        self.ready.callback(connection)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if not self.ready.called:
            self.ready.errback(reason)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]
