"""One connection to upstream: HTTP/1.1, one exchange at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ..errors import UpstreamProtocolError, UpstreamReset
from .body import UpstreamBody
from .faults import translate
from .parsing import ResponseReader
from .response import UpstreamResponse
from .upload import Upload
from .writing import Send, sender

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer

    from ..message import InterimSink
    from .pool import Pool


class Connection(Protocol):
    """
    @ivar unsent: the current request, head and content, if none of it has left and it can go elsewhere.
    @ivar reused: it has carried an exchange before; its end may have crossed with a new request.
    @ivar touched: something of the response to the current request has come.
    """

    def __init__(self, pool: Pool, key: Any, head_limit: int) -> None:
        self._pool = pool
        self.key = key
        self._reader = ResponseReader(head_limit)
        self._send: Send | None = None
        self._responding: Deferred[UpstreamResponse] | None = None
        self._upload: Upload | None = None
        self._body: UpstreamBody | None = None
        self._response: UpstreamResponse | None = None
        self._on_interim: InterimSink | None = None
        self._paused = False
        self._lost = False
        self.unsent: bytes | None = None
        self.reused = False

    # -- the exchange

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._send = sender(self.transport)

    @property
    def touched(self) -> bool:
        return self._reader.touched

    @property
    def alive(self) -> bool:
        return not self._lost

    def request(
        self, head: bytes, body: IBodyProducer | None, to_head: bool, on_interim: InterimSink | None
    ) -> Deferred[UpstreamResponse]:
        """
        Send a request; fires at the final response head.

        Cancelling it closes the connection at once.
        """
        self._reader.begin(to_head)
        self.unsent = None
        self._on_interim = on_interim
        responding: Deferred[UpstreamResponse] = Deferred(self._cancelled)
        self._responding = responding
        if body is None:
            self.send_first(head)
        else:
            self._upload = upload = Upload(self, body, body.length)
            upload.start(head)
        return responding

    def abandon(self) -> None:
        """Nobody wants the rest of this response: close at once, or let go if nothing is left."""
        self._body = self._response = None
        self._close()

    def close(self) -> None:
        """Close a connection that has nothing to do."""
        self._close()

    # -- for the upload

    def send_first(self, data: bytes) -> bool:
        """Send the beginning of a request; C{False} if the connection turned out to be dead."""
        if self._lost or self._send is None or not self._send(data):
            self.unsent = data if self._upload is None else self._upload.whole
            self._fail(Failure(UpstreamReset()))
            return False
        return True

    def send(self, data: bytes) -> None:
        if not self._lost:
            assert self._send is not None
            self._send(data)

    def register(self, producer: Any) -> None:
        if not self._lost:
            self.transport.registerProducer(producer, True)  # type: ignore[union-attr]

    def unregister(self) -> None:
        if not self._lost:
            self.transport.unregisterProducer()  # type: ignore[union-attr]

    def upload_failed(self, reason: Failure) -> None:
        """The request cannot be completed: the client left, or broke its own framing."""
        self._upload = None
        self._fail(reason)

    # -- for the body

    def pause(self) -> None:
        if not self._paused and not self._lost:
            self._paused = True
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def resume(self) -> None:
        if self._paused and not self._lost:
            self._paused = False
            self.transport.resumeProducing()  # type: ignore[union-attr]

    # -- called by the transport

    def dataReceived(self, data: bytes) -> None:
        if self._responding is None and self._body is None:
            # RFC 9112 section 9.2: nobody asked. It answers nothing, and the next answer could be mistaken for it.
            self._close()
            return
        reader = self._reader
        try:
            reader.feed(data)
        except UpstreamProtocolError as error:
            self._fail(Failure(error))
            return
        if reader.interims and self._on_interim is not None:
            for interim in reader.interims:
                self._on_interim(*interim)
        if reader.interims:
            reader.interims = []
        if self._responding is not None:
            if reader.headed:
                self._head()
        elif self._body is not None:
            if reader.content:
                self._body.received(reader.content)
            if reader.complete and self._body is not None:
                self._complete()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        if self._reader.headed and self._body is not None and self._reader.end():
            self._complete()
        else:
            self._fail(Failure(translate(reason)))
        self._reader.release()
        self._pool.lost(self)

    # -- how it goes on

    def _head(self) -> None:
        reader = self._reader
        responding, self._responding = self._responding, None
        assert responding is not None
        response = UpstreamResponse(reader.status, reader.reason, reader.fields, reader.version, reader.length, None)
        self._response = response
        if reader.complete:
            content = reader.content
            if not reader.bodiless:
                response.body = UpstreamBody(reader.length, content, None)
            self._complete()
        elif reader.bodiless:
            self._complete()
        else:
            response.body = self._body = UpstreamBody(reader.length, reader.content, self)
            self.pause()
        responding.callback(response)

    def _complete(self) -> None:
        """The response has ended; is the connection good for another?"""
        body, response, upload = self._body, self._response, self._upload
        self._body = self._response = self._upload = None
        keep = self._reader.keep_alive and not self._lost and self._reader.complete
        if response is not None:
            response.trailers.extend(self._reader.trailers)
        if upload is not None and not upload.sent:
            # RFC 9112 section 9.5: an answer before the end of the request; the rest of it goes nowhere.
            upload.stop()
            keep = False
        if keep:
            self.reused = True
            self.resume()
            self._pool.idle(self)
        else:
            self._close()
        if body is not None:
            body.ended(None)

    def _fail(self, reason: Failure) -> None:
        responding, self._responding = self._responding, None
        body, self._body = self._body, None
        upload, self._upload = self._upload, None
        self._response = None
        if upload is not None:
            upload.stop()
        self._close()
        if responding is not None:
            responding.errback(reason)
        if body is not None:
            body.ended(reason)

    def _cancelled(self, responding: Deferred[UpstreamResponse]) -> None:
        self._responding = None
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.stop()
        self._close()
        responding.errback(CancelledError())

    def _close(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.stop()
        if not self._lost and self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]
