"""The uploads of a connection: content that is on its way, streamed to a resource or buffered until all is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.python.failure import Failure

from ...core.http11 import content_too_large

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ...core.requestreader import Piece
    from .request import ProxyRequest
    from .requestbody import RequestBody


class StreamedUpload:
    """
    Content for a resource that takes it as it comes.

    @ivar called: the resource knows of the request.
    """

    __slots__ = ("_body", "called")

    def __init__(self, body: RequestBody) -> None:
        self.called = False
        self._body = body

    @property
    def wants_data(self) -> bool:
        """There is room for more of it."""
        return self._body.wants_data

    @property
    def unread(self) -> bool:
        """It is not read: not yet, or not any more."""
        return self._body.stopped or not self._body.started

    @property
    def dropped(self) -> bool:
        """What is to come will not be read."""
        return self._body.stopped

    def arrived(self, piece: Piece) -> None:
        """A piece of it has been read."""
        body = self._body
        if piece.data:
            body.arrived(piece.data)
        if piece.ended:
            body.ended(piece.trailers)

    def drop(self) -> None:
        """Throw away what is to come."""
        self._body.stopProducing()

    def fail(self, reason: Exception) -> None:
        """The rest will not come."""
        self._body.fail(Failure(reason))


class BufferedUpload:
    """Content for a resource that wants all of it at once; see L{StreamedUpload}."""

    __slots__ = ("_content", "_limit", "_request", "_resource", "_size", "called")

    wants_data = True
    unread = dropped = False

    def __init__(self, request: ProxyRequest, resource: IResource, limit: int) -> None:
        self.called = False
        self._request = request
        self._resource = resource
        self._limit = limit
        self._content: list[bytes] = []
        self._size = 0

    def arrived(self, piece: Piece) -> None:
        """
        A piece of it has been read.

        @raise llmproxy.core.http11.Refusal: it is too much.
        """
        self._size += len(piece.data)
        if self._size > self._limit:
            raise content_too_large()
        self._content.append(piece.data)
        if piece.ended:
            content, self._content = b"".join(self._content), []
            self.called = True
            self._request.render_whole(self._resource, content)

    def drop(self) -> None:
        """There is no answer yet that could have ended before the content."""

    def fail(self, reason: Exception) -> None:
        """No resource knows of it yet."""
