"""The content of a request that did not come whole with its head: for a stream, or until all of it is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

from ...core.http11 import content_too_large

if TYPE_CHECKING:
    from ...core.chunked import ChunkedReader, SizedReader
    from .request import ProxyRequest
    from .requestbody import RequestBody


class StreamedUpload:
    """
    Content for a resource that takes it as it comes.

    @ivar framing: finds its end.
    @ivar called: the resource knows of the request.
    """

    __slots__ = ("_body", "called", "framing")

    def __init__(self, framing: SizedReader | ChunkedReader, body: RequestBody) -> None:
        self.framing = framing
        self.called = False
        self._body = body

    @property
    def hungry(self) -> bool:
        """There is room for more of it."""
        return self._body.hungry

    @property
    def unwanted(self) -> bool:
        """Nobody reads it, or reads it any more."""
        return self._body.stopped or not self._body.started

    @property
    def dropped(self) -> bool:
        """Nobody will read what is to come."""
        return self._body.stopped

    def arrived(self, piece: bytes) -> None:
        """What the framing made of what came."""
        body = self._body
        if piece:
            body.arrived(piece)
        if self.framing.ended:
            body.ended(self.framing.trailers)

    def drop(self) -> None:
        """Throw away what is to come."""
        self._body.stopProducing()

    def fail(self, reason: Exception) -> None:
        """The rest will not come."""
        self._body.fail(Failure(reason))


class BufferedUpload:
    """Content for a resource that wants all of it at once; see L{StreamedUpload}."""

    __slots__ = ("_content", "_limit", "_request", "_resource", "_size", "called", "framing")

    hungry = True
    unwanted = dropped = False

    def __init__(self, framing: SizedReader | ChunkedReader, request: ProxyRequest, resource: Any, limit: int) -> None:
        self.framing = framing
        self.called = False
        self._request = request
        self._resource = resource
        self._limit = limit
        self._content: list[bytes] = []
        self._size = 0

    def arrived(self, piece: bytes) -> None:
        """
        What the framing made of what came.

        @raise Refusal: it is too much.
        """
        self._size += len(piece)
        if self._size > self._limit:
            raise content_too_large()
        self._content.append(piece)
        if self.framing.ended:
            content, self._content = b"".join(self._content), []
            self.called = True
            self._request.render_whole(self._resource, content)

    def drop(self) -> None:
        """It has not been asked for an answer yet: there is none that could have ended before the content."""

    def fail(self, reason: Exception) -> None:
        """Nobody knows of it yet."""
