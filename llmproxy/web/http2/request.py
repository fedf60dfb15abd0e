"""The request over HTTP/2, with its body still on the way and its response written as it is given."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface import implementer

from ...bodies import BytesBody
from ...core.http2.head import read_head, read_trailers
from ...core.http11 import CHUNKED, Refusal, content_too_large, too_slow
from ...errors import ClientLeft, RequestBodyTimeout
from ..clientaddress import named_client
from ..http1.earlyerror import refusal_body, refusal_fields
from ..http1.requestbody import RequestBody
from ..resources import StreamingResource
from .response import Http2Response

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ...core.http11 import Head
    from ...message import Fields
    from ...net.timers import Deadline
    from .response import StreamChannel


class Http2Request(Http2Response):
    """
    As L{llmproxy.web.http1.request.ProxyRequest}, on a stream in place of a connection.

    @ivar whole: all of it has come.
    @ivar unread: bytes of the client's windows that what waits here has taken.
    """

    method = b""
    clientproto = b"HTTP/2"
    whole = False
    unread = 0
    _head_read: Head | None = None
    _refusal: Refusal | None = None
    _arriving: RequestBody | None = None
    _resource: IResource
    _expected = False
    _deadline: Deadline | None = None

    def __init__(self, channel: StreamChannel, stream: int, section: Fields, ended: bool) -> None:
        super().__init__()
        self.channel = channel
        self.stream = stream
        self.transport = channel.transport
        self.site = channel.site
        self.secure = channel.secure
        self.whole = ended
        self.peer_host = channel.client_host
        self.client_host = named_client(channel.site.trusted_proxies, channel.client_host, section)
        self._take_head(section, ended)

    # -- what the client sends

    def _take_head(self, section: Fields, ended: bool) -> None:
        limits = self.site.limits
        try:
            head = read_head(section, ended, limits.target, limits.head, limits.fields)
        except Refusal as refusal:
            self._refusal, self.raw_fields = refusal, []
            self.raw_fields = [*section]
            self.method = next((value for name, value in section if name == b":method"), b"")
            return
        self._head_read = head
        self.method, self.uri, self.raw_fields = head.method, head.target, head.fields
        self._expected = head.expects
        if head.length:
            if any(name == b"trailer" for name, _ in head.fields):
                self._keep_trailers(head)
            self._arriving = RequestBody(self, UNKNOWN_LENGTH if head.length == CHUNKED else head.length)

    def _keep_trailers(self, head: Head) -> None:
        """In HTTP/1.1 only chunks have trailers, RFC 9112 section 7.1.2: the length is left to them."""
        head.fields[:] = [(name, value) for name, value in head.fields if name != b"content-length"]
        head.length = CHUNKED

    def data_received(self, content: bytes, size: int, ended: bool) -> None:
        """
        @param size: what it takes of the windows.
        """
        self._expected = False
        self.unread += size
        body = self._arriving
        if body is not None and content:
            body.arrived(content)
            if self._deadline is not None:
                self._deadline.at = self.site.wheel.now() + self.site.limits.body_silence
        if ended:
            self.ended_with(())
        elif self.channel is not None:
            self.channel.settle(self)

    def ended_with(self, trailers: Fields) -> None:
        """All of it has come."""
        self.whole = True
        self._stop_timer()
        body = self._arriving
        if body is None:
            return
        try:
            fields = read_trailers(trailers) if trailers else ()
        except Refusal as refusal:
            body.fail(Failure(refusal))
            return
        if fields and not body.started and self.body is None and self._head_read is not None:
            # The length has not been used yet.
            self._keep_trailers(self._head_read)
            body.length = UNKNOWN_LENGTH
        body.ended(fields)

    def begin(self) -> None:
        """Find the resource, and render it; what was read together with the head is here."""
        if self.channel is None:
            return
        head = self._head_read
        if head is None:
            if self._refusal is not None:
                self.refuse(self._refusal)
            return
        try:
            resource = self.site.getResourceFor(self)
        except Exception:
            self.processingFailed(Failure())
            return
        if isinstance(resource, StreamingResource):
            self.body = self._all_of_it() or self._arriving
            self.render_stream(resource)
        elif head.length > self.site.limits.body:
            self.refuse(content_too_large())
        else:
            self._collect(resource)

    def _all_of_it(self) -> BytesBody | None:
        """A body that is here, and has no trailers: it needs no wait, and does not hold this request."""
        body = self._arriving
        if body is None or not body.at_hand or body.trailers:
            return None
        self._arriving = None
        return BytesBody(body.take())

    def _collect(self, resource: IResource) -> None:
        """Let twisted.web's own way begin once the content is here."""
        if self._arriving is None:
            self.render_whole(resource, b"")
            return
        self._resource = resource
        self.content = BytesIO()
        self._arriving.startProducing(_Content(self)).addCallbacks(self._collected, self._cut)

    def collected(self, data: bytes) -> None:
        """Called with the content of a request that is handed over whole."""
        if self.content.tell() + len(data) > self.site.limits.body:
            self.refuse(content_too_large())
        else:
            self.content.write(data)

    def _collected(self, _: object) -> None:
        if self.channel is not None:
            self.render_whole(self._resource, self.content.getvalue())

    def _cut(self, reason: Failure) -> None:
        reason.trap(ClientLeft, RequestBodyTimeout, Refusal)
        if reason.check(RequestBodyTimeout):
            self.refuse(too_slow("request body took too long"))
        elif reason.check(Refusal):
            self.refuse(reason.value)  # type: ignore[arg-type]

    def refuse(self, refusal: Refusal) -> None:
        """Refuse it before a resource knows of it; the other streams go on."""
        request_id = self.site.request_id(self.raw_fields)
        self.site.refused(refusal.status, refusal.code, self.client_host, refusal.detail, request_id)
        if self._arriving is not None:
            self._arriving.stopProducing()
        content = refusal_body(refusal)
        fields = refusal_fields(refusal, request_id)
        self.write_whole(refusal.status, b"", fields, len(content), content if self.method != b"HEAD" else b"")

    def connectionLost(self, reason: Failure) -> None:
        """The stream is gone; it is cancelled, and its body fails."""
        self._stop_timer()
        super().connectionLost(reason)
        self._queue.clear()
        if self._arriving is not None:
            self._arriving.fail(Failure(ClientLeft()))

    def release(self) -> None:
        """It is over: break the cycle between a body and its request."""
        self._stop_timer()
        self.body = self._arriving = None

    def abort(self) -> None:
        super().abort()
        self._stop_timer()
        if self._arriving is not None:
            self._arriving.fail(Failure(ClientLeft()))

    # -- for the body and its reader

    def body_wanted(self) -> None:
        """The body is read now: a client that waits for 100 (Continue) gets it."""
        if self._expected and not self.startedWriting and self.channel is not None:
            self._expected = False
            self.channel.interim(self.stream, [(b":status", b"100")])

    def reconsider(self) -> None:
        """More, or less, is wanted from the client."""
        if self.channel is not None:
            self.channel.settle(self)

    def settle(self) -> None:
        """Let the client send more or do not, and limit its silence."""
        body, channel = self._arriving, self.channel
        if body is None or channel is None or self.whole:
            return
        wanted = body.wants_data or body.stopped
        if wanted and self.unread:
            unread, self.unread = self.unread, 0
            channel.acknowledge(unread, self.stream)
        if not (body.started and wanted and not body.stopped):
            self._stop_timer()
        elif self._deadline is None:
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
