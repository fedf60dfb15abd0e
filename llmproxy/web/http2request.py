"""One request over HTTP/2: twisted.web's, with its body still on the way and its response written as it is given."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..core.http2 import read_head, read_trailers
from ..core.http11 import CHUNKED, Refusal, content_too_large, too_slow
from ..errors import ClientLeft, RequestBodyTimeout
from .client import through_proxies
from .http2response import Http2Response
from .refusal import refusal_body
from .requestbody import RequestBody

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.http11 import Head
    from ..message import Field, Fields
    from ..wheel import Deadline
    from .site import ProxySite


class Http2Request(Http2Response):
    """
    As L{llmproxy.web.request.ProxyRequest}, on a stream in place of a connection.

    @ivar whole: all of it has come.
    @ivar trailers: what came behind the content.
    """

    body: RequestBody | None = None
    site: ProxySite
    raw_fields: list[Field]
    client_host = ""
    secure = False
    whole = False
    trailers: Fields = ()
    _head: Head | None = None
    _refusal: Refusal | None = None
    _arriving: RequestBody | None = None
    _collecting: Deferred[None] | None = None
    _expected = False
    _deadline: Deadline | None = None

    def __init__(self, channel: Any, queued: bool = False) -> None:
        super().__init__(channel, queued)
        self.site = channel.site

    # -- what the client sends

    def gotLength(self, length: int | None) -> None:
        """What the head says of it is read in L{take_head}."""

    def take_head(self, section: Fields, ended: bool) -> None:
        """
        @param ended: there is no body.
        """
        limits = self.site.limits
        peer = getattr(self.channel.getPeer(), "host", "") or ""
        self.client_host = through_proxies(self, peer, lambda: section)
        self.secure = self._connection.secure
        self.whole = ended
        try:
            self._head = head = read_head(section, ended, limits.target, limits.head, limits.fields)
        except Refusal as refusal:
            self._refusal = refusal
            return
        self._expected = head.expects
        if head.length:
            self._arriving = RequestBody(self, UNKNOWN_LENGTH if head.length == CHUNKED else head.length)

    def handleContentChunk(self, data: bytes) -> None:
        self._expected = False
        if self._arriving is not None and data:
            self._arriving.arrived(data)
            if self._deadline is not None:
                self._deadline.at = self.site.wheel.now() + self.site.limits.body_silence
            self._connection.settle(self)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it has come."""
        self.whole = True
        self._stop_timer()
        body = self._arriving
        if body is None:
            return
        try:
            body.ended(read_trailers(self.trailers))
        except Refusal as refusal:
            body.fail(Failure(refusal))

    def begin(self) -> None:
        """Find who answers; what was read together with the head is here."""
        head = self._head
        if self.channel is None:
            return
        if head is None:
            if self._refusal is not None:
                self.refuse(self._refusal)
            return
        self.method, self.uri, self.clientproto = head.method, head.target, head.version
        self.path = head.target.partition(b"?")[0]
        self.raw_fields = head.fields
        self.prepath, self.postpath = [], self.path[1:].split(b"/")
        try:
            self._call(self.site.getResourceFor(self), head)
        except Exception:
            self.processingFailed(Failure())

    def _call(self, resource: Any, head: Head) -> None:
        if getattr(resource, "streams_body", False):
            self.body = self._arriving
            if resource.render(self) is not NOT_DONE_YET:
                raise TypeError(f"{resource!r} has streams_body, and must write its response itself")
        elif head.length > self.site.limits.body:
            self.refuse(content_too_large())
        else:
            self.content = BytesIO()
            self._collect()

    def _collect(self) -> None:
        """Let twisted.web's own way begin once the content is here."""
        if self._arriving is None:
            self._render_whole(None)
            return
        self._collecting = self._arriving.startProducing(_Content(self))
        self._collecting.addCallbacks(self._render_whole, self._cut)

    def collected(self, data: bytes) -> None:
        """Called with the content of a request that is handed over whole."""
        if self.content.tell() + len(data) > self.site.limits.body:
            self.refuse(content_too_large())
        else:
            self.content.write(data)

    def _render_whole(self, _: object) -> None:
        super().requestReceived(self.method, self.uri, self.clientproto)

    def _cut(self, reason: Failure) -> None:
        reason.trap(ClientLeft, RequestBodyTimeout, Refusal)
        if reason.check(RequestBodyTimeout):
            self.refuse(too_slow("request body took too long"))
        elif reason.check(Refusal):
            self.refuse(reason.value)  # type: ignore[arg-type]

    def refuse(self, refusal: Refusal) -> None:
        """Turn it away before a resource hears of it; the other streams go on."""
        self.site.refused(refusal.status, refusal.code, self.client_host, refusal.detail)
        if self._arriving is not None:
            self._arriving.stopProducing()
        content = refusal_body(refusal)
        self.write_head(refusal.status, b"", [(b"content-type", b"application/json")], len(content))
        if self._head is None or self._head.method != b"HEAD":
            self.write(content)
        self._length = UNKNOWN_LENGTH
        self.finish()

    def connectionLost(self, reason: Failure) -> None:
        """The stream is gone; whoever is interested hears of it."""
        self._stop_timer()
        producer, self.producer = self.producer, None
        left, self.on_disconnect = self.on_disconnect, None
        super().connectionLost(reason)
        if left is not None and not self.finished:
            left(Failure(ClientLeft()))
        elif producer is not None:
            producer.stopProducing()
        if self._arriving is not None:
            self._arriving.fail(Failure(ClientLeft()))

    def abort(self) -> None:
        """Reset the stream, so that nobody takes a part for the whole."""
        super().abort()
        self._stop_timer()
        if self._arriving is not None:
            self._arriving.fail(Failure(ClientLeft()))

    # -- for the body and its reader

    def body_wanted(self) -> None:
        """Somebody reads the body: a client that waits to be asked for it is asked."""
        if self._expected and not self.startedWriting and self.channel is not None:
            self._expected = False
            self._connection.ask_for_body(self._stream)

    def reconsider(self) -> None:
        """More, or less, is wanted from the client."""
        self._connection.settle(self)

    def settle(self) -> None:
        """Read or do not, and be patient only for so long."""
        body, stream = self._arriving, self.channel
        if body is None or stream is None or self.whole:
            return
        hungry = body.hungry or body.stopped
        if hungry and not stream.producing:
            stream.resumeProducing()
        elif not hungry and stream.producing:
            stream.pauseProducing()
        if not (body.started and hungry and not body.stopped):
            self._stop_timer()
        elif self._deadline is None and not self.whole:
            self._deadline = self.site.wheel.start(self.site.limits.body_silence, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        if self._arriving is not None:
            self._arriving.fail(Failure(RequestBodyTimeout()))

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None


@implementer(IConsumer)
class _Content:
    """Takes the body of a request that is handed over whole."""

    def __init__(self, request: Http2Request) -> None:
        self._request = request

    def write(self, data: bytes) -> None:
        self._request.collected(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")
