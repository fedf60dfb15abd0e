"""What came of one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import implementer

from ..interfaces import IUpstreamResponse

if TYPE_CHECKING:
    from ..message import Field
    from .body import UpstreamBody


@implementer(IUpstreamResponse, IResponse)
class UpstreamResponse:
    """
    See L{IUpstreamResponse}. What L{IResponse} wants besides is made when somebody asks.

    @ivar body: C{None} where the message has no content.
    """

    __slots__ = ("_minor", "body", "code", "fields", "length", "phrase", "previousResponse", "request", "trailers")

    def __init__(
        self, code: int, phrase: bytes, fields: list[Field], minor: int, length: Any, body: UpstreamBody | None
    ) -> None:
        self.code = code
        self.phrase = phrase
        self.fields = fields
        self._minor = minor
        self.length = length
        self.body = body
        self.trailers: list[Field] = []
        self.request = None
        self.previousResponse = None

    @property
    def version(self) -> tuple[bytes, int, int]:
        return (b"HTTP", 1, self._minor)

    @property
    def headers(self) -> Headers:
        headers = Headers()
        for name, value in self.fields:
            headers.addRawHeader(name, value)
        return headers

    def setPreviousResponse(self, response: Any) -> None:
        self.previousResponse = response

    def deliverBody(self, protocol: Any) -> None:
        """Give the content to a protocol, as L{twisted.web.client.Agent}'s responses do."""
        delivery = _Delivery(self.body, protocol)
        protocol.makeConnection(delivery)
        if self.body is None:
            protocol.connectionLost(Failure(ResponseDone()))
        else:
            self.body.startProducing(delivery).addCallbacks(delivery.done, delivery.broken)


@implementer(IConsumer)
class _Delivery:
    """Consumer of a body, transport of the protocol that reads it."""

    def __init__(self, body: UpstreamBody | None, protocol: Any) -> None:
        self._body = body
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        self._protocol.dataReceived(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def done(self, result: None) -> None:
        self._protocol.connectionLost(Failure(ResponseDone()))

    def broken(self, reason: Failure) -> None:
        self._protocol.connectionLost(reason)

    def pauseProducing(self) -> None:
        if self._body is not None:
            self._body.pauseProducing()

    def resumeProducing(self) -> None:
        if self._body is not None:
            self._body.resumeProducing()

    def stopProducing(self) -> None:
        if self._body is not None:
            self._body.stopProducing()

    loseConnection = abortConnection = stopProducing
