"""The client's part of another protocol, on its way to a connection that has switched to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from ..core.framebounds import FrameBounds
from ..core.websocket import GOING_AWAY, close

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProducer

    from .upload import Sink


@implementer(IConsumer)
class Switched:
    """
    Takes the client's bytes. What upstream says is the body of the response; who stops that closes the connection.
    """

    __slots__ = ("_bounds", "_connection", "_registered")

    def __init__(self, connection: Sink, protocol: bytes) -> None:
        self._connection = connection
        self._registered = False
        self._bounds = FrameBounds() if protocol.lower() == b"websocket" else None

    def write(self, data: bytes) -> None:
        if self._bounds is not None:
            self._bounds.feed(data)
        self._connection.send(data)

    def goodbye(self) -> bytes | None:
        """
        What to send before the connection is closed in order, RFC 6455 section 7.1.1.

        @return: C{None} where nothing can be said: within a frame, whose rest will not come; for a client that has left
            without a word; in other protocols.
        """
        bounds = self._bounds
        if bounds is None or not bounds.between:
            return None
        return b"" if bounds.closed else close(GOING_AWAY, mask=True)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self._registered = True
        self._connection.register(producer)  # type: ignore[arg-type]

    def unregisterProducer(self) -> None:
        """The client has left."""
        if self._bounds is not None and not self._bounds.closed:
            self._bounds = None
        if self._registered:
            self._registered = False
            self._connection.unregister()
