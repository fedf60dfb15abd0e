"""The content of a response, on its way from a connection to its reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import classImplements

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer


class Source(Protocol):
    """The connection that the content of a response comes from: L{llmproxy.upstream.connection.Connection} is one."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read again."""

    def abandon(self) -> None:
        """Close at once."""


class UpstreamBody:
    """
    See L{IBodyProducer}. Until it is started, the connection is paused and holds what came with the head.

    The Deferred fails with L{llmproxy.errors.UpstreamReset} if the connection ends before the content does,
    with L{llmproxy.errors.UpstreamProtocolError} if the content is malformed. Stopping the body or cancelling
    the Deferred closes the connection at once, unless the content had come whole.

    @ivar length: in bytes, or L{twisted.web.iweb.UNKNOWN_LENGTH}.
    """

    __slots__ = ("_connection", "_consumer", "_content", "_paused", "_producing", "_reason", "_started", "length")

    def __init__(self, length: int | object, content: bytes, connection: Source) -> None:
        self.length = length
        self._content = content
        self._connection: Source | None = connection
        self._consumer: IConsumer | None = None
        self._producing: Deferred[None] | None = None
        self._reason: Failure | None = None
        self._started = False
        self._paused = False

    # -- for the one who reads

    @property
    def at_hand(self) -> bool:
        """See L{llmproxy.bodies.at_hand}."""
        return self._connection is None and self._reason is None and not self._started

    @property
    def started(self) -> bool:
        return self._started

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        if self._started:
            raise RuntimeError("a body can be read once")
        self._started = True
        content, self._content = self._content, b""
        if self._connection is None:
            if content:
                consumer.write(content)
            return succeed(None) if self._reason is None else fail(self._reason)
        self._consumer = consumer
        producing: Deferred[None] = Deferred(self._cancelled)
        self._producing = producing
        if content:
            consumer.write(content)
        if self._connection is not None and not self._paused:
            self._connection.resume()
        return producing

    def pauseProducing(self) -> None:
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resumeProducing(self) -> None:
        self._paused = False
        if self._connection is not None and self._started:
            self._connection.resume()

    def stopProducing(self) -> None:
        connection, self._connection = self._connection, None
        self._started = True
        self._content = b""
        self._consumer = self._producing = None
        if connection is not None:
            connection.abandon()

    def _cancelled(self, _: Deferred[None]) -> None:
        self.stopProducing()

    # -- for the connection

    def received(self, content: bytes) -> None:
        """More content."""
        if self._consumer is not None:
            self._consumer.write(content)
        else:
            # Not started, and paused: this is the rest of one read, which TLS may deliver in several pieces.
            self._content += content

    def ended(self, reason: Failure | None) -> None:
        """It came to its end, or was cut short by C{reason}; the connection has nothing to do with it any more."""
        self._connection = None
        self._consumer = None
        self._reason = reason
        producing, self._producing = self._producing, None
        if producing is not None:
            if reason is None:
                producing.callback(None)
            else:
                producing.errback(reason)


classImplements(UpstreamBody, IBodyProducer)
