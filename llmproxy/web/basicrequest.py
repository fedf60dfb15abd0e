"""A request of twisted.web whose parts are made when somebody asks for them; how it is written, others say."""

from __future__ import annotations

import time
from collections.abc import Callable
from email import message_from_bytes
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.python.failure import Failure
from twisted.web.http import datetimeToString, parse_qs
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.resource import EncodingResourceWrapper
from twisted.web.server import NOT_DONE_YET, Request

from ..core.caching.dates import date_field
from ..core.reasons import reason_of
from ..core.responsehead import NO_CONTENT
from ..errors import ClientLeft
from ..net.twistedinternals import parses_forms
from .requestids import id_fields

if TYPE_CHECKING:
    from email.message import Message

    from ..bodies import BytesBody
    from ..interfaces import IConnectedProtocol
    from ..message import Field, Fields
    from .http1.requestbody import RequestBody


class BasicRequest(Request):
    """
    What twisted.web's resources expect of a request, and a second way to answer for those who want each byte as it is.

    The second way is C{write_head}, L{write}, L{finish}, C{abort}, C{write_interim}; it adds nothing but framing. It is
    declared by each version of HTTP: L{llmproxy.web.http1.request.ProxyRequest} and
    L{llmproxy.web.http2.request.Http2Request}.

    @ivar raw_fields: the header section in wire order.
    @ivar body: C{None} where there is none, or the resource gets it as C{content}; else nobody has started it.
    @ivar client_host: the address of the client, without its port: the peer's, or what trusted proxies tell.
    @ivar peer_host: the address of the peer.
    @ivar secure: the connection is TLS.
    @ivar on_disconnect: called once, with a L{Failure} of L{ClientLeft}, if the client goes before L{finish}
        or C{abort}. Its owner answers for the producer that is registered: it is not stopped besides.
    @ivar _left: bytes of the content that are not written yet, or how it is framed.
    """

    body: RequestBody | BytesBody | None = None
    on_disconnect: Callable[[Failure], Any] | None = None
    content: Any = None
    channel: Any
    site: Any
    transport: Any
    raw_fields: list[Field]
    client_host: str
    peer_host: str
    secure: bool
    upgrade = False
    _encoder: Any = None
    _left = NO_CONTENT
    _exact = False

    # -- for each version of HTTP

    def write_head(self, status: int, reason: bytes, fields: Fields, length: Any) -> None:
        """See L{llmproxy.interfaces.IDownstream}."""
        raise NotImplementedError

    def write_whole(
        self, status: int, reason: bytes, fields: Fields, length: Any, content: bytes, trailers: Fields = ()
    ) -> None:
        """See L{llmproxy.interfaces.IDownstream}."""
        raise NotImplementedError

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """See L{llmproxy.interfaces.IDownstream}."""
        raise NotImplementedError

    def _begin(self, status: int, reason: bytes, fields: Fields, length: Any) -> None:
        """Write the head."""
        raise NotImplementedError

    def _put(self, data: bytes) -> None:
        """Write a piece of the content."""
        raise NotImplementedError

    def _end(self, trailers: Fields) -> None:
        """Write the end."""
        raise NotImplementedError

    def flush(self) -> None:
        """Send what is held back."""
        raise NotImplementedError

    def abort(self) -> None:
        """Break the response off, so that nobody takes a part for the whole."""
        raise NotImplementedError

    def take_over(self, protocol: IConnectedProtocol) -> None:
        """See L{llmproxy.interfaces.IDownstream}: only where C{upgrade} can be true."""
        raise RuntimeError(f"a connection of {self.clientproto!r} cannot be taken over")

    # -- what twisted.web makes at once, and we when it is wanted

    @cached_property
    def path(self) -> bytes:  # type: ignore[override]
        return self.uri.partition(b"?")[0]

    @cached_property
    def prepath(self) -> list[bytes]:  # type: ignore[override]
        return []

    @cached_property
    def sitepath(self) -> list[bytes]:
        return []

    @cached_property
    def postpath(self) -> list[bytes]:  # type: ignore[override]
        return [unquote_to_bytes(segment) for segment in self.path[1:].split(b"/")]

    @cached_property
    def notifications(self) -> list[Any]:  # type: ignore[override]
        return []

    @cached_property
    def _adapterCache(self) -> dict[Any, Any]:  # type: ignore[override]
        return {}

    @cached_property
    def requestHeaders(self) -> Headers:  # type: ignore[override]
        headers = Headers()
        for name, value in self.raw_fields:
            headers.addRawHeader(name, value)
        return headers

    @cached_property
    def responseHeaders(self) -> Headers:  # type: ignore[override]
        return Headers()

    @cached_property
    def cookies(self) -> list[bytes]:  # type: ignore[override]
        return []

    @cached_property
    def received_cookies(self) -> dict[bytes, bytes]:  # type: ignore[override]
        pairs = [
            pair.lstrip().partition(b"=")
            for line in self.requestHeaders.getRawHeaders(b"Cookie") or ()
            for pair in line.split(b";")
        ]
        return {name: value for name, equals, value in pairs if equals}

    @cached_property
    def args(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]
        args: dict[bytes, list[bytes]] = parse_qs(self.uri.partition(b"?")[2], 1)
        if self.method == b"POST" and self.content is not None and parses_forms(self.site):
            args.update(self._form())
        return args

    def _form(self) -> dict[bytes, list[bytes]]:
        content_type = self.requestHeaders.getRawHeaders(b"Content-Type", [b""])[0]
        header = b"MIME-Version: 1.0\r\nContent-Type: %b\r\n\r\n" % content_type
        kind = message_from_bytes(header).get_content_type() if content_type else ""
        self.content.seek(0)
        form: dict[bytes, list[bytes]] = {}
        if kind == "application/x-www-form-urlencoded":
            form = parse_qs(self.content.read(), 1)
        elif kind == "multipart/form-data":
            form = _parts(message_from_bytes(header + self.content.read()))
        self.content.seek(0)
        return form

    @cached_property
    def client(self) -> Any:
        return self.transport.getPeer()

    @cached_property
    def host(self) -> Any:
        return self.transport.getHost()

    def isSecure(self) -> bool:
        return bool(self.secure or self._forceSSL)

    # -- for the connection

    def render_whole(self, resource: Any, content: bytes) -> None:
        """Let an ordinary resource answer, now that the body is here; nobody else's response waits for it."""
        self.site.poller.flush()
        self.content = BytesIO(content)
        self.render_guarded(resource)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """With the registered phrase, which Twisted does not know of every status."""
        super().setResponseCode(code, message or reason_of(code))

    def render_guarded(self, resource: Any) -> None:
        """L{render}, and 500 if it fails."""
        try:
            if isinstance(resource, EncodingResourceWrapper):
                self._encoder = resource.getEncoder(self)
            self.render(resource)
        except BaseException:
            self.processingFailed(Failure())

    def render_stream(self, resource: Any) -> None:
        """L{render_guarded} for a resource that takes its body as a stream, and answers later if at all."""
        try:
            if resource.render(self) is not NOT_DONE_YET:
                raise TypeError(f"{resource!r} takes its body as a stream, and must write its response itself")
        except BaseException:
            self.processingFailed(Failure())

    def processingFailed(self, reason: Failure) -> Failure:
        if self.startedWriting or self.channel is None:
            self._log.failure("a resource failed within its response", reason)
            self.abort()
            return reason
        failed: Failure = super().processingFailed(reason)
        return failed

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone; C{on_disconnect}, the producer and L{notifyFinish} hear of it."""
        self._disconnected = True
        self.channel = None
        producer, self.producer = self.producer, None
        left, self.on_disconnect = self.on_disconnect, None
        if left is not None and not self.finished:
            left(Failure(ClientLeft()))
        elif producer is not None:
            producer.stopProducing()
        for waiting in self._take_notifications():
            waiting.errback(reason)

    # -- the response

    def write(self, data: bytes) -> None:
        if self.finished:
            raise RuntimeError("Request.write called on a request after Request.finish was called.")
        if self._exact:
            self._put(data)
        elif not self._inFakeHead:
            # The encoder may still change the head.
            if self._encoder is not None:
                data = self._encoder.encode(data)
            self._put_ordinary(data)

    def _put_ordinary(self, data: bytes) -> None:
        if not self.startedWriting:
            self._begin_ordinary()
        self._put(data)
        self.flush()

    def finish(self, trailers: Fields = ()) -> None:
        """
        The response is complete. One that is shorter than its head said is broken off instead.

        @param trailers: sent where the response is chunked.
        """
        if self.finished:
            return
        if self.channel is None:
            if self._exact:
                return
            raise RuntimeError(
                "Request.finish called on a request after its connection was lost; "
                "use Request.notifyFinish to keep track of this."
            )
        if self._encoder is not None:
            self._put_ordinary(self._encoder.finish())
        elif not self.startedWriting:
            self._begin_ordinary()
        if self._left > 0:
            self.abort()
            return
        self._end(trailers)

    def _take_notifications(self) -> list[Any]:
        """The Deferreds of L{notifyFinish}; each fires once."""
        waiting: list[Any] = self.__dict__.pop("notifications", [])
        return waiting

    def _begin_ordinary(self) -> None:
        headers = self.responseHeaders
        contentless = self.code in (204, 304)
        if (
            self.defaultContentType is not None
            and not contentless
            and not headers.hasHeader(b"Content-Type")
            and headers.getRawHeaders(b"Content-Length", [b""])[0] != b"0"
        ):
            headers.setRawHeaders(b"Content-Type", [self.defaultContentType])
        if self.lastModified is not None and not headers.hasHeader(b"Last-Modified"):
            headers.setRawHeaders(b"Last-Modified", [datetimeToString(self.lastModified)])
        if self.etag is not None:
            headers.setRawHeaders(b"ETag", [self.etag])
        if self.cookies:
            headers.setRawHeaders(b"Set-Cookie", self.cookies)
        fields = [(name, value) for name, values in headers.getAllRawHeaders() for value in values]
        if not headers.hasHeader(b"Date"):
            fields.insert(0, date_field(time.time() // 1))
        fields += [
            field for field in id_fields(self.site.request_id(self.raw_fields)) if not headers.hasHeader(field[0])
        ]
        self._begin(self.code, self.code_message, fields, UNKNOWN_LENGTH)


def _parts(message: Message) -> dict[bytes, list[bytes]]:
    """The parts of a form by their names, as twisted.web has them."""
    if not message.is_multipart():
        raise ValueError("a form of several parts has none")
    form: dict[bytes, list[bytes]] = {}
    for part in message.get_payload():
        name: Any = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        if name:
            form.setdefault(name.encode(), []).append(part.get_payload(decode=True))  # type: ignore[union-attr, arg-type]
    return form
