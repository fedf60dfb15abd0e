"""The client's part of another protocol, on its way to a connection that has switched to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProducer

    from .connection import Connection


@implementer(IConsumer)
class Switched:
    """
    Takes the client's bytes. What upstream says is the body of the response; who stops that closes the connection.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.send(data)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self._connection.register(producer)  # type: ignore[arg-type]

    def unregisterProducer(self) -> None:
        self._connection.unregister()
