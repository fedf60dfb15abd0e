"""
The client's side of an exchange over twisted.web's own requests.

L{twisted.web.http.Request} writes heads of its own making: names in its case, C{Server}, C{Date} and
C{Content-Type} added, 204 and HEAD framed as if they had content. This writes the head itself and leaves
the rest (pipelining, keeping the connection, finishing) to twisted.web.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator
from twisted.python.failure import Failure
from twisted.web.client import FileBodyProducer
from twisted.web.http import HTTPChannel
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from ...bodies import BytesBody
from ...core.fields import first
from ...core.targets import merged
from ...errors import ClientLeft
from ..basicrequest import BasicRequest
from ..clientaddress import client_of, peer_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer
    from twisted.web.server import Request

    from ...interfaces import IConnectedProtocol
    from ...message import Field, Fields

AT_HAND = 64 * 1024
"""Bodies up to this size are passed on in one piece."""


class Downstream:
    """
    @ivar raw_fields: the header section as it came; under a stock site, order and case are what
        twisted.web has left of them.
    @ivar body: C{None} where there is none. It is here whole: this is how twisted.web hands requests over.
    @ivar on_disconnect: called with a L{Failure} of L{ClientLeft} if the client goes before the end.
    """

    upgrade = False

    def __init__(self, request: Request) -> None:
        self._request: Any = request
        self.method: bytes = request.method
        self.uri: bytes = merged(request.uri)
        self.clientproto: bytes = request.clientproto
        self.raw_fields: list[Field] = fields_of(request)
        self.client_host: str = client_of(request)
        self.peer_host: str = peer_of(request)
        self.secure: bool = bool(request.isSecure())
        self.on_disconnect: Callable[[Failure], Any] | None = None
        self.body = body_of(request, self.raw_fields)
        self._left = False
        self._direct = isinstance(request.channel, HTTPChannel)
        self._length: object = UNKNOWN_LENGTH
        self._written = 0
        request.notifyFinish().addErrback(self._gone)

    def _gone(self, reason: Failure) -> None:
        self._left = True
        if self.on_disconnect is not None:
            self.on_disconnect(Failure(ClientLeft()))

    # -- the response

    def write_head(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
        """
        Write the head, exactly these fields and what its framing needs.

        @param length: of the content; L{UNKNOWN_LENGTH}, or C{None} where the message has none.
        """
        self._length = length
        request = self._request
        request.code = status
        request.setLastModified = request.setETag = None
        if not self._direct:
            self._write_stock_head(status, reason, fields)
            return
        lines = [b"HTTP/1.1 %d %b" % (status, reason)]
        lines += [b"%b: %b" % pair for pair in fields]
        lines += self._framing(fields, length)
        lines.append(b"\r\n")
        request.startedWriting = 1
        request.channel.write(b"\r\n".join(lines))

    def _framing(self, fields: Fields, length: object) -> list[bytes]:
        request = self._request
        lines = []
        if length is UNKNOWN_LENGTH:
            if self.clientproto == b"HTTP/1.1":
                request.chunked = 1
                lines.append(b"Transfer-Encoding: chunked")
            else:
                request.channel.persistent = 0
        elif isinstance(length, int) and first(fields, b"content-length") is None:
            lines.append(b"Content-Length: %d" % length)
        if not request.channel.persistent:
            lines.append(b"Connection: close")
        elif self.clientproto == b"HTTP/1.0":
            lines.append(b"Connection: keep-alive")
        return lines

    def _write_stock_head(self, status: int, reason: bytes, fields: Fields) -> None:
        request = self._request
        request.setResponseCode(status, reason or None)
        for name in (b"server", b"date", b"content-type"):
            request.responseHeaders.removeHeader(name)
        for name, value in fields:
            request.responseHeaders.addRawHeader(name, value)
        request.write(b"")

    def write_whole(
        self,
        status: int,
        reason: bytes,
        fields: Fields,
        length: object,
        content: bytes,
        trailers: Fields = (),
    ) -> None:
        """L{write_head}, L{write} and L{finish} in one."""
        self.write_head(status, reason, fields, length)
        if content:
            self.write(content)
        self.finish(trailers)

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """Pass on a 1xx response, to clients that know them."""
        if self._direct and not self._left and self.clientproto == b"HTTP/1.1" and not self._request.startedWriting:
            lines = [
                b"HTTP/1.1 %d %b" % (status, reason or b"Interim"),
                *(b"%b: %b" % pair for pair in fields),
                b"\r\n",
            ]
            self._request.channel.write(b"\r\n".join(lines))

    def write(self, data: bytes) -> None:
        if not self._left:
            self._written += len(data)
            self._request.write(data)

    def finish(self, trailers: Fields = ()) -> None:
        """The message is complete; one that is shorter than its head announced is broken off instead."""
        if self._left:
            return
        if isinstance(self._length, int) and self._written != self._length:
            self.abort()
            return
        request = self._request
        if trailers and self._direct and request.chunked:
            request.chunked = 0
            lines = b"".join([b"%b: %b\r\n" % pair for pair in trailers])
            request.channel.write(b"0\r\n" + lines + b"\r\n")
        request.finish()

    def abort(self) -> None:
        """Break the connection off, so that a part is not taken for the whole."""
        if not self._left:
            self._left = True
            channel = self._request.channel
            if self._direct:
                channel.transport.abortConnection()
            else:
                channel.abortConnection()

    def take_over(self, protocol: IConnectedProtocol) -> None:
        """Refuse: C{upgrade} is false."""
        raise RuntimeError("a connection of a stock site cannot be taken over")

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if not self._left:
            self._request.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        if self._request.producer is not None:
            self._request.unregisterProducer()


def fields_of(request: Request) -> list[Field]:
    """The header section of a request: as it came to our own site, or as far as twisted.web has left it."""
    if isinstance(request, BasicRequest):
        return request.raw_fields
    return [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]


def body_of(request: Request, fields: list[Field]) -> IBodyProducer | None:
    """The content as a body that has not been started; C{None} for a request without one."""
    content: Any = request.content
    size = content.seek(0, 2)
    content.seek(0)
    chunked = first(fields, b"transfer-encoding") is not None
    if not size and not chunked:
        return None
    if size <= AT_HAND:
        return _Chunked(BytesBody(content.read())) if chunked else BytesBody(content.read())
    body = FileBodyProducer(content, cooperator=Cooperator(scheduler=_soon(request)), readSize=AT_HAND)
    return _Chunked(body) if chunked else body


def _soon(request: Request) -> Callable[[Callable[[], None]], Any]:
    reactor: Any = request.site.reactor  # type: ignore[union-attr]
    return lambda step: reactor.callLater(0, step)


@implementer(IBodyProducer)
class _Chunked:
    """A body that came chunked goes on chunked: its length was not announced."""

    length = UNKNOWN_LENGTH

    def __init__(self, body: IBodyProducer) -> None:
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        started: Deferred[None] = self._body.startProducing(consumer)
        return started

    def pauseProducing(self) -> None:
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._body.stopProducing()
