"""The request of both versions of HTTP: how it is rendered, and its two ways to answer."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.resource import EncodingResourceWrapper
from twisted.web.server import NOT_DONE_YET

from ..core.responsehead import NO_CONTENT
from ..errors import ClientLeft
from .emulatedrequest import EmulatedRequest

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ..bodies import BytesBody
    from ..interfaces import IConnectedProtocol
    from ..message import Fields
    from .http1.requestbody import RequestBody


class BasicRequest(EmulatedRequest):
    """
    A request that can be answered in two ways: as twisted.web's resources do, and as an
    L{llmproxy.interfaces.IDownstream}, which adds nothing but framing.

    What goes on the wire is written by each version of HTTP: L{llmproxy.web.http1.request.ProxyRequest} and
    L{llmproxy.web.http2.request.Http2Request}.

    @ivar body: C{None} where there is none, or the resource gets it as C{content}; else it has not been started.
    @ivar client_host: the address of the client, without its port: the peer's, or what trusted proxies name.
    @ivar peer_host: the address of the peer.
    @ivar on_disconnect: called once, with a L{Failure} of L{ClientLeft}, if the client goes before L{finish}
        or C{abort}. Its owner answers for the producer that is registered: it is not stopped besides.
    @ivar _left: bytes of the content that are not written yet, or how it is framed.
    """

    body: RequestBody | BytesBody | None = None
    on_disconnect: Callable[[Failure], Any] | None = None
    channel: object  # type: ignore[assignment]
    client_host: str
    peer_host: str
    upgrade = False
    _encoder: Any = None
    _left = NO_CONTENT
    _exact = False

    # -- for each version of HTTP

    def write_head(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
        """See L{llmproxy.interfaces.IDownstream}."""
        raise NotImplementedError

    def write_whole(
        self, status: int, reason: bytes, fields: Fields, length: object, content: bytes, trailers: Fields = ()
    ) -> None:
        """See L{llmproxy.interfaces.IDownstream}."""
        raise NotImplementedError

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """See L{llmproxy.interfaces.IDownstream}."""
        raise NotImplementedError

    def _begin(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
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
        """Break the response off, so that a part is not taken for the whole."""
        raise NotImplementedError

    def take_over(self, protocol: IConnectedProtocol) -> None:
        """See L{llmproxy.interfaces.IDownstream}: only where C{upgrade} can be true."""
        raise RuntimeError(f"a connection of {self.clientproto!r} cannot be taken over")

    # -- for the connection

    def render_whole(self, resource: IResource, content: bytes) -> None:
        """Let an ordinary resource answer, now that the body is here; responses of others do not wait for it."""
        self.site.poller.flush()
        self.content = BytesIO(content)
        self.render_guarded(resource)

    def render_guarded(self, resource: IResource) -> None:
        """L{render}, and 500 if it fails."""
        try:
            if isinstance(resource, EncodingResourceWrapper):
                self._encoder = resource.getEncoder(self)
            self.render(resource)
        except BaseException:
            self.processingFailed(Failure())

    def render_stream(self, resource: IResource) -> None:
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
        """The client is gone; C{on_disconnect}, the producer and C{notifyFinish} are called."""
        self._disconnected = True
        self.channel = None
        producer, self.producer = self.producer, None
        left, self.on_disconnect = self.on_disconnect, None
        if left is not None and not self.finished:
            left(Failure(ClientLeft()))
        elif producer is not None:
            producer.stopProducing()
        for waiting in self.take_notifications():
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
        The response is complete. One that is shorter than its head announced is broken off instead.

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

    def _begin_ordinary(self) -> None:
        self._begin(self.code, self.code_message, self.ordinary_fields(), UNKNOWN_LENGTH)
