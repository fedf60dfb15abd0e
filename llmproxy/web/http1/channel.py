"""
The server's side of an HTTP/1.1 connection.

What a connection is doing, and what it waits for (L{llmproxy.core.clientlimits.Limits} has the times)::

    idle --first byte--> head --complete--> body --complete--> answering --> idle, if it is kept
      |                   | 4xx, 408         | 4xx, 408            |
      +-------------------+--------> closing <---------------------+

What the bytes mean is known to L{llmproxy.core.requestreader}, what follows for the connection to
L{llmproxy.core.persistence}; here are transport, time and requests. A resource that takes a stream is called between
head and body, all others after the body. While C{closing}, the output is flushed and what still comes is thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface import classImplements

from ...bodies import BytesBody
from ...core.http11 import CHUNKED, Refusal, content_too_large, too_many_connections, too_slow
from ...core.persistence import CLOSING, HEAD, IDLE, NOTHING, SENDING, Persistence
from ...core.requestreader import RequestReader
from ...errors import ClientLeft, RequestBodyTimeout
from ..resources import StreamingResource
from .connection import ClientConnection
from .earlyerror import refusal_response
from .request import ProxyRequest
from .requestbody import RequestBody
from .uploads import BufferedUpload, StreamedUpload

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ...core.http11 import Head
    from ..contracts import IHeldResponse, IServerSite


class LlhttpChannel(ClientConnection):
    """
    The wiring between a transport, the reader of requests, the facts that decide about the connection, and requests.

    @ivar persistence: the facts, and what follows from them.
    @ivar _request: the one that is being received or answered.
    @ivar _upload: its body; C{None} where there is none, and once all of it is here.
    @ivar _looping: what was read is being worked through.
    """

    _log: ClassVar = Logger()
    _request: ProxyRequest | None = None
    _looping = False

    def __init__(self, site: IServerSite) -> None:
        super().__init__(site)
        self._upload: StreamedUpload | BufferedUpload | None = None
        limits = site.limits
        self._reader = reader = RequestReader(limits.target, limits.head, limits.fields, site.heads)
        self.persistence = Persistence(reader, limits.unread, limits.waiting)

    # -- what the client sends

    def dataReceived(self, data: bytes) -> None:
        if self._takes_data is not None:
            self._takes_data(data)
            return
        self._reader.feed(data)
        if not self._looping:
            self._advance()

    def _advance(self) -> None:
        reader = self._reader
        self._looping = True
        try:
            while reader.unread and self._take_event():
                pass
        except Refusal as refusal:
            self._refuse(refusal)
        except Exception:
            self._log.failure("a connection failed")
            self.break_off(framed=False)
        finally:
            self._looping = False
        persistence = self.persistence
        if persistence.ended and self._delegate is None and not persistence.closing and persistence.is_unfinished():
            self._leave()
        self._settle()

    def _take_event(self) -> bool:
        """Take one event from the reader; false if there is none now."""
        if self._lost or not self.persistence.may_take():
            if self._lost or self.persistence.ignores_data():
                self._reader.take()
            return False
        if self._upload is not None:
            return self._take_piece(self._upload)
        head = self._reader.next_head()
        if head is not None:
            self._head_received(head)
        return head is not None

    def _take_piece(self, upload: StreamedUpload | BufferedUpload) -> bool:
        try:
            piece = self._reader.next_piece()
        except Refusal as refusal:
            if not upload.called:
                raise
            self.report(refusal)
            self._cut_upload(upload, refusal)
            return False
        self.persistence.expecting = False
        if piece is not None:
            if piece.ended:
                self._end_upload()
            upload.arrived(piece)
        return piece is not None

    def _head_received(self, head: Head) -> None:
        persistence = self.persistence
        if self._timer.phase == HEAD:
            self._timer.phase = NOTHING
        self._request = request = ProxyRequest(self, head)
        persistence.answering = True
        persistence.client_keeps = head.keep_alive
        # RFC 9110 section 10.1.1: without content there is nothing to wait for.
        persistence.expecting = head.expects and head.length != 0
        try:
            resource = self.site.getResourceFor(request)
        except Exception:
            # A body that is not read must not be taken for a request.
            persistence.broken = persistence.broken or head.length != 0
            request.processingFailed(Failure())
            return
        streams = isinstance(resource, StreamingResource)
        if head.length:
            self._begin_body(request, head.length, streams, resource)
        elif streams:
            request.render_stream(resource)
        else:
            request.render_whole(resource, b"")

    def _begin_body(self, request: ProxyRequest, length: int, streams: bool, resource: IResource) -> None:
        reader, limits = self._reader, self.site.limits
        if not streams and length > limits.body:
            raise content_too_large()
        content = reader.whole_body(length)
        if content is None:
            reader.begin_body(length)
            if streams:
                self._stream_body(request, length, resource)
            else:
                self._begin_upload(BufferedUpload(request, resource, limits.body))
                self.body_wanted()
            return
        self.persistence.expecting = False
        if streams:
            request.body = BytesBody(content)
            request.render_stream(resource)
        else:
            request.render_whole(resource, content)

    def _stream_body(self, request: ProxyRequest, length: int, resource: IResource) -> None:
        request.body = body = RequestBody(self, UNKNOWN_LENGTH if length == CHUNKED else length)
        upload = StreamedUpload(body)
        self._begin_upload(upload)
        if self._reader.unread:
            # What is wrong in these bytes is refused before the resource knows of the request.
            self._take_piece(upload)
        upload.called = True
        request.render_stream(resource)

    def _begin_upload(self, upload: StreamedUpload | BufferedUpload) -> None:
        self._upload = self.persistence.upload = upload

    def _end_upload(self) -> None:
        self._upload = self.persistence.upload = None

    def _cut_upload(self, upload: StreamedUpload | BufferedUpload, reason: Exception) -> None:
        """The body of a request that is being answered will not end as it should."""
        self.persistence.broken = True
        self._end_upload()
        upload.fail(reason)

    # -- for the body and its reader

    def body_wanted(self) -> None:
        """The body is read now: a client that waits for 100 (Continue) gets it."""
        if self.persistence.expecting and self._request is not None and not self._request.startedWriting:
            self.persistence.expecting = False
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def reconsider(self) -> None:
        """A reader has more or less room than before."""
        if not self._looping:
            self._settle()

    # -- for the response

    def flush_later(self, request: IHeldResponse) -> None:
        """Send what C{request} holds back, at the latest at the end of the reactor's turn."""
        if not self._looping:
            self.site.flush_later(request)

    def response_ended(self, kept: bool) -> None:
        """
        Go on with the next request, or close.

        @param kept: the head of the response has promised to keep the connection.
        """
        self._request = None
        self.persistence.answering = False
        if self._upload is not None:
            self._upload.drop()
        if not kept or self.persistence.must_close():
            self._close()
        if self._looping:
            return
        if self._reader.unread:
            self._advance()
        else:
            self._settle()

    def _end_request(self) -> None:
        self._request = None
        self.persistence.answering = False

    def break_off(self, framed: bool) -> None:
        """
        End the connection so that the client sees that something is missing.

        @param framed: closing in order is enough, and leaves the client what it was sent.
        """
        if self._lost:
            return
        if framed and not self.persistence.closing:
            self._leave()
        else:
            self._lost = True
            self.transport.abortConnection()

    # -- producers

    def pauseProducing(self) -> None:
        """The client does not take what was written."""
        self.persistence.congested = True
        if self._request is None:
            return
        self._outflow.note()
        self._timer.wait_for(SENDING)
        if self._request.producer is not None:
            self._request.producer.pauseProducing()

    def resumeProducing(self) -> None:
        self.persistence.congested = False
        if self._request is not None and self._request.producer is not None:
            self._request.producer.resumeProducing()
        elif self._reader.unread and not self._looping:
            self._advance()
        self.reconsider()

    # -- the end

    def requests_done(self) -> bytes:
        self._end_upload()
        self._end_request()
        return self._reader.take()

    def requests_lost(self, reason: Failure) -> None:
        request, upload = self._request, self._upload
        self._end_upload()
        self._end_request()
        self._reader.take()
        # The request first: its exchange is cancelled, and cannot answer the end of its body any more.
        if request is not None:
            request.connectionLost(reason)
        if upload is not None:
            upload.fail(ClientLeft())

    def requests_ended(self) -> None:
        """The client may still wait for its answer, RFC 9112 section 9.6."""
        persistence = self.persistence
        persistence.ended = True
        if persistence.closing or not persistence.answering or self._upload is not None:
            self._leave()
        elif self._plain:
            self._begin_probe(self._is_writing)

    def ended_unread(self, waiting: int) -> None:
        if not self._plain or (self.persistence.is_cut(waiting) and not self._is_writing()):
            self.break_off(framed=False)
        elif self.persistence.answering:
            self._begin_probe(self._is_writing)

    def _is_writing(self) -> bool:
        """Whether the head of a response has been written, and not all of the rest."""
        return self._request is not None and bool(self._request.startedWriting)

    def close_if_idle(self) -> None:
        """Close a connection that waits for its next request."""
        if self._delegate is not None:
            self._delegate.close_if_idle()
        elif self._request is None and self._upload is None and not self._reader.unread:
            self._leave()

    def loseConnection(self) -> None:
        """For resources of twisted.web that end the connection."""
        self._leave()

    def refuse_unread(self, refusal: Refusal) -> None:
        self._refuse(refusal)
        self._settle()

    def _refuse(self, refusal: Refusal) -> None:
        request = self._request
        request_id = self.site.request_id(request.raw_fields if request is not None else ())
        self.report(refusal, request_id)
        self._end_upload()
        self._end_request()
        if request is not None and request.startedWriting:
            self.break_off(framed=False)
            return
        head_only = request is not None and request.method == b"HEAD"
        self.send(refusal_response(refusal, request_id, head_only))
        self.persistence.broken = True
        self._close()

    def report(self, refusal: Refusal, request_id: str = "") -> None:
        self.site.refused(refusal.status, refusal.code, self.client_host, refusal.detail, request_id)

    def _close(self) -> None:
        """
        Close, once what was written is sent.

        RFC 9112 section 9.6: while the client may still be sending, first only our side; a full close would make
        its system throw away what it has not read yet.
        """
        persistence = self.persistence
        unread = self._upload is not None or self._reader.unread or persistence.broken
        if not self._plain or persistence.ended or not unread:
            self._leave()
        elif not persistence.closing:
            persistence.closing = True
            self._reader.take()
            self.transport.loseWriteConnection()

    def _leave(self) -> None:
        self.persistence.closing = True
        self._reader.take()
        # Twisted does not close under a producer that it has paused.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.reconsider()

    # -- reading and time

    def _settle(self) -> None:
        """Send what is held, read or do not, and note what is waited for."""
        if self._lost or self._delegate is not None:
            return
        request, persistence = self._request, self.persistence
        if request is not None and request.held is not None:
            request.flush()
        if self._reading and persistence.is_at_ease():
            if request is None:
                self._timer.wait_for(IDLE)
            else:
                self._timer.phase = NOTHING
            return
        if not persistence.ended:
            self.set_reading(persistence.wants_data())
        self._timer.wait_on(persistence.phase())

    def overdue(self) -> None:
        phase, upload = self._timer.phase, self._upload
        if phase in (IDLE, CLOSING, SENDING) and self._outflow.is_moving():
            self._timer.wait_for(phase)
            return
        if phase == HEAD:
            self._refuse(too_many_connections() if self.unwelcome else too_slow("request head took too long"))
        elif phase in (CLOSING, SENDING):
            self._lost = True
            self.transport.abortConnection()
        elif phase == IDLE or self._request is None or upload is None:
            self._leave()
        elif upload.called:
            self._cut_upload(upload, RequestBodyTimeout())
        else:
            self._refuse(too_slow("request body took too long"))
        self._settle()


classImplements(LlhttpChannel, IProtocol, IPushProducer, IHalfCloseableProtocol)
