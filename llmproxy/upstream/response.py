"""A response as treq's callers know it, with what the proxy needs beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from treq.content import collect, content, json_content, text_content
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import classImplements

from ..interfaces import IUpstreamResponse
from ..message import Field
from .fieldheaders import FieldHeaders

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer, IClientRequest

_VERSIONS = ((b"HTTP", 1, 0), (b"HTTP", 1, 1), (b"HTTP", 2, 0))


class UpstreamResponse:
    """
    See L{IResponse} and L{IUpstreamResponse}. The content is read either with C{deliverBody} or through C{body}.

    C{phrase} and C{fields} are as upstream wrote them. C{length} is 0 where there is no content, whatever
    C{Content-Length} says.

    @ivar minor: the minor version of HTTP/1; 2 is HTTP/2.
    @ivar upgraded: after a 101, where the client's bytes go; C{body} is then what upstream says.
    """

    __slots__ = ("body", "code", "fields", "length", "minor", "phrase", "request", "trailers", "upgraded")

    previousResponse = None

    def __init__(
        self,
        request: IClientRequest,
        code: int,
        phrase: bytes,
        minor: int,
        fields: list[Field],
        trailers: list[Field],
        length: int | object,
        body: IBodyProducer | None,
    ) -> None:
        self.request = request
        self.code = code
        self.phrase = phrase
        self.minor = minor
        self.fields = fields
        self.trailers = trailers
        self.length = length
        self.body = body
        self.upgraded: IConsumer | None = None

    @property
    def version(self) -> tuple[bytes, int, int]:
        return _VERSIONS[self.minor]

    @property
    def headers(self) -> Headers:
        return FieldHeaders(self.fields)

    def setPreviousResponse(self, response: IResponse) -> None:
        raise NotImplementedError("redirects are not followed")

    def deliverBody(self, protocol: IProtocol) -> None:
        """Give the content to a protocol, as the responses of L{twisted.web.client.Agent} do."""
        _Delivery(protocol, self.body).start()

    def collect(self, collector: Callable[[bytes], None]) -> Deferred[None]:
        """See L{treq.collect}."""
        return collect(self, collector)

    def content(self) -> Deferred[bytes]:
        """See L{treq.content}."""
        return content(self)

    def json(self, **kwargs: Any) -> Deferred[Any]:
        """See L{treq.json_content}."""
        return json_content(self, **kwargs)

    def text(self, encoding: str = "ISO-8859-1") -> Deferred[str]:
        """See L{treq.text_content}."""
        return text_content(self, encoding)


classImplements(UpstreamResponse, IResponse, IUpstreamResponse)


class _Delivery:
    """Reads a body into a protocol, and is its transport."""

    disconnecting = False

    def __init__(self, protocol: IProtocol, body: IBodyProducer | None) -> None:
        self._protocol: IProtocol | None = protocol
        self._body = body

    def start(self) -> None:
        body = self._body
        self._protocol.makeConnection(self)  # type: ignore[arg-type, union-attr]
        if body is None:
            self._tell(Failure(ResponseDone()))
        elif self._body is not None:
            body.startProducing(self).addCallbacks(self._complete, self._cut)

    def write(self, data: bytes) -> None:
        if self._protocol is not None:
            self._protocol.dataReceived(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def pauseProducing(self) -> None:
        if self._body is not None:
            self._body.pauseProducing()

    def resumeProducing(self) -> None:
        if self._body is not None:
            self._body.resumeProducing()

    def stopProducing(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.stopProducing()
            self._tell(Failure(ConnectionAborted()))

    def loseConnection(self) -> None:
        self.stopProducing()

    def abortConnection(self) -> None:
        self.stopProducing()

    def _complete(self, _: None) -> None:
        self._body = None
        self._tell(Failure(ResponseDone()))

    def _cut(self, reason: Failure) -> None:
        self._body = None
        self._tell(reason)

    def _tell(self, reason: Failure) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)


classImplements(_Delivery, IConsumer, IPushProducer)
