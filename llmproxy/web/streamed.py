"""Answers of JSON resources that are longer than memory: piece by piece, as fast as the client takes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from .basicrequest import BasicRequest

if TYPE_CHECKING:
    from twisted.python.failure import Failure


@frozen(eq=False)
class Streamed:
    """
    What an operation returns in place of a value.

    @ivar kind: the media type.
    @ivar name: of the file that a browser would save.
    @ivar pieces: made when they are asked for, one after another; bounded by their maker.
    """

    kind: bytes
    name: str
    pieces: Callable[[], AsyncGenerator[bytes, None]]


@implementer(IPushProducer)
class Streaming:
    """
    Writes the pieces of an answer. A client that leaves stops it; a piece that cannot be made breaks the answer off, so
    that a part is not taken for the whole.

    @param request: its head is set.
    """

    def __init__(self, request: Any, pieces: Callable[[], AsyncGenerator[bytes, None]]) -> None:
        self._request = request
        self._pieces = pieces
        self._room: Deferred[None] | None = None
        self._left = False

    def start(self) -> Deferred[None]:
        """Fires when the answer has ended, or the client has left; fails as the pieces do."""
        self._request.notifyFinish().addErrback(lambda _: self.stopProducing())
        self._request.registerProducer(self, True)
        self._writing = Deferred.fromCoroutine(self._write())
        return self._writing.addCallbacks(lambda _: self._request.finish(), self._broken)

    async def _write(self) -> None:
        pieces = self._pieces()
        try:
            async for piece in pieces:
                self._request.write(piece)
                if self._room is not None:
                    await self._room
        finally:
            await pieces.aclose()
            if not self._left:
                self._request.unregisterProducer()

    def _broken(self, reason: Failure) -> Deferred[None] | Failure:
        if self._left and reason.check(CancelledError):
            return succeed(None)
        if not self._left:
            _abort(self._request)
        return reason

    def pauseProducing(self) -> None:
        if self._room is None:
            self._room = Deferred()

    def resumeProducing(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def stopProducing(self) -> None:
        self._left = True
        self._writing.cancel()


def _abort(request: Any) -> None:
    """Under a stock site, that of the stream where it is HTTP/2."""
    if isinstance(request, BasicRequest):
        request.abort()
    elif isinstance(request.channel, HTTPChannel):
        transport: Any = request.channel.transport
        transport.abortConnection()
    else:
        request.channel.abortConnection()
