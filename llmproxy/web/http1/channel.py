"""
The server's side of one HTTP/1.1 connection.

What a connection is doing, and what it waits for (L{llmproxy.web.limits.Limits} has the times)::

    idle --first byte--> head --complete--> body --complete--> answering --> idle, if it is kept
      |                   | 4xx, 408         | 4xx, 408            |
      +-------------------+--------> closing <---------------------+

A resource that takes a stream is called between head and body, all others after the body. While C{closing},
the output is flushed and what still comes is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    INegotiated,
    IProtocol,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface import implementer

from ...bodies import BytesBody
from ...core.chunked import ChunkedReader, SizedReader
from ...core.http11 import (
    CHUNKED,
    Refusal,
    check_partial,
    content_too_large,
    fields_too_large,
    read_head,
    target_too_long,
    too_many_connections,
    too_slow,
)
from ...errors import ClientLeft, RequestBodyTimeout
from ...net.keepalive import keep_alive
from ...net.twistedinternals import sender
from ..clientaddress import host_of
from ..resources import StreamingResource
from .earlyerror import refusal_response
from .halfclose import HalfCloseProbe
from .phasetimer import BODY, CLOSING, HEAD, IDLE, NOTHING, SENDING, PhaseTimer
from .request import ProxyRequest
from .requestbody import RequestBody
from .sending import unsent
from .uploads import BufferedUpload, StreamedUpload

if TYPE_CHECKING:
    from ...core.http11 import Head
    from ...interfaces import IConnectedProtocol
    from ..site import ProxySite


@implementer(IProtocol, IPushProducer, IHalfCloseableProtocol)
class LlhttpChannel:
    """
    Reads requests, finds their resources, and lets them answer one after another.

    @ivar send: writes to the client, at once where it can.
    @ivar keep_alive: the connection is used again after the response that is being written.
    @ivar unwelcome: there are too many connections; whatever is asked here is answered with 503.
    @ivar congested: the client does not take what was written: nothing new is begun.
    @ivar _buffer: bytes that were read and not yet understood.
    @ivar _request: the one that is being received or answered.
    @ivar _incoming: its body; C{None} where there is none, and once all of it is here.
    @ivar _expected: the client waits for C{100 Continue}.
    @ivar _broken: what comes from the client makes no sense any more.
    @ivar _ended: it sends no more.
    """

    _log = Logger()
    transport: Any = None
    client_host = ""
    secure = False
    unwelcome = False
    congested = False
    keep_alive = True
    send: Callable[[bytes], object]
    _buffer = b""
    _request: ProxyRequest | None = None
    _incoming: StreamedUpload | BufferedUpload | None = None
    _expected = False
    _client_keeps = True
    _broken = _ended = _closing = _lost = False
    _admitted = _plain = False
    _looping = False
    _reading = True
    _unsent = 0
    _patience: PhaseTimer
    _departure: HalfCloseProbe | None = None
    _delegate: IConnectedProtocol | None = None

    def __init__(self, site: ProxySite) -> None:
        self.site = self.factory = site
        self._limits = site.limits
        self._now = site.wheel.now

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self.client_host = host_of(transport.getPeer())
        # Who writes to a connection that is lost is told by Twisted, in its own time.
        self.send = sender(transport, self.site.poller, transport.write)
        if not self.site.admit(self):
            self._lost = True
            transport.abortConnection()
            return
        self._admitted = True
        self.connectionMade()

    def connectionMade(self) -> None:
        transport = self.transport
        self.site.poller.adopt(transport)
        self.secure = ISSLTransport.providedBy(transport)
        tcp = ITCPTransport.providedBy(transport)
        self._plain = tcp and not self.secure
        if self.secure:
            self.dataReceived = self._negotiated  # type: ignore[method-assign]
        if tcp:
            # Head and chunks are written when they are ready: nothing is gained by waiting for more.
            transport.setTcpNoDelay(True)
            keep_alive(transport)
        transport.registerProducer(self, True)
        self._patience = PhaseTimer(self.site.wheel, self._limits, self._overdue)
        if self.unwelcome:
            self._patience.phase = HEAD
            self.dataReceived = self._turn_away  # type: ignore[method-assign]

    def _turn_away(self, data: bytes) -> None:
        """The client is there and says something: it is told that there are too many. HTTP/2 is not worth a start."""
        del self.dataReceived
        if self._speaks_http2():
            self._report(too_many_connections())
            self.break_off(framed=False)
            return
        self._refuse(too_many_connections())
        self._settle()

    def _negotiated(self, data: bytes) -> None:
        """The first bytes over TLS: ALPN is settled now."""
        del self.dataReceived
        if self._speaks_http2():
            connection = self.site.http2_connection()
            self.hand_over(connection)
            self.transport.registerProducer(connection, True)
        self.dataReceived(data)

    def _speaks_http2(self) -> bool:
        """Whether ALPN has agreed on it."""
        return INegotiated.providedBy(self.transport) and self.transport.negotiatedProtocol == b"h2"

    def connectionLost(self, reason: Failure) -> None:
        self._lost = True
        if not self._admitted:
            return
        self._admitted = False
        self.site.released(self)
        self._stop_timers()
        if self._delegate is not None:
            self._delegate.connectionLost(reason)
            return
        request, self._request = self._request, None
        incoming, self._incoming = self._incoming, None
        self._buffer = b""
        # The request first: whoever answers it cancels, and nobody is left who could answer the end of the body.
        if request is not None:
            request.connectionLost(reason)
        if incoming is not None:
            incoming.fail(ClientLeft())

    def readConnectionLost(self) -> None:
        """The client sends no more; it may still wait for its answer, RFC 9112 section 9.6."""
        if self._delegate is not None:
            self._delegate.readConnectionLost()
            return
        self._ended = True
        self._reading = False
        request = self._request
        if self._closing or request is None or self._incoming is not None:
            self._leave()
        elif self._plain:
            self._departure = HalfCloseProbe(self, bool(request.startedWriting))

    def writeConnectionLost(self) -> None:
        """We send no more, and wait for the client to say the same."""

    def hand_over(self, protocol: IConnectedProtocol) -> None:
        """From now on the connection is C{protocol}'s, with the bytes that were read and not used."""
        rest, self._buffer = self._buffer, b""
        self._delegate = protocol
        self._request = self._incoming = None
        self._stop_timers()
        self.transport.unregisterProducer()
        if not self._reading:
            self.transport.resumeProducing()
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
        protocol.makeConnection(self.transport)
        if rest:
            protocol.dataReceived(rest)

    # -- what the client sends

    def dataReceived(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._looping:
            self._advance()

    def _advance(self) -> None:
        self._looping = True
        try:
            while self._buffer and self._step():
                pass
        except Refusal as refusal:
            self._refuse(refusal)
        except Exception:
            self._log.failure("a connection failed")
            self.break_off(framed=False)
        finally:
            self._looping = False
        if self._ended and self._delegate is None and not self._closing:
            self._leave_unfinished()
        self._settle()

    def _leave_unfinished(self) -> None:
        """Leave if what was begun cannot be completed: its rest will not come."""
        if self._incoming is not None or (self._request is None and not self.congested):
            self._leave()

    def _step(self) -> bool:
        """Take one thing from the buffer; false if nothing can be taken now."""
        if self._closing or self._broken or self._lost:
            self._buffer = b""
            return False
        if self._incoming is not None:
            return self._take_body(self._incoming)
        if self._request is not None or self.congested:
            return False
        return self._take_head()

    def _take_head(self) -> bool:
        data = self._buffer
        if data[0] == 0x0D:
            data = self._buffer = _without_empty_lines(data)
            if len(data) < 2:
                return False
        limits = self._limits
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or end > limits.head:
            self._check_partial(data, end)
            return False
        if end == len(data):
            self._buffer = b""
        else:
            self._buffer = data[end:]
            data = data[:end]
        self._patience.phase = NOTHING
        self._dispatch(read_head(data, limits.target, limits.fields))
        return True

    def _check_partial(self, data: bytes, end: int) -> None:
        limits = self._limits
        check_partial(data, limits.target, limits.head)
        if end > limits.head or len(data) > limits.head:
            target = data.partition(b"\r\n")[0].split(b" ", 2)[1:2]
            raise target_too_long() if target and len(target[0]) > limits.target else fields_too_large()

    def _dispatch(self, head: Head) -> None:
        self._request = request = ProxyRequest(self, head)
        self._client_keeps = self.keep_alive = head.keep_alive
        # RFC 9110 section 10.1.1: without content there is nothing to wait for.
        self._expected = head.expects and head.length != 0
        try:
            resource = self.site.getResourceFor(request)
        except Exception:
            if head.length:
                # Nobody reads its body, and what is not read must not be taken for a request.
                self._client_keeps = False
                self._broken = True
            request.processingFailed(Failure())
            return
        streams = isinstance(resource, StreamingResource)
        if head.length:
            self._begin_body(request, head.length, streams, resource)
        elif streams:
            request.render_stream(resource)
        else:
            request.render_whole(resource, b"")

    def _begin_body(self, request: ProxyRequest, length: int, streams: bool, resource: Any) -> None:
        if not streams and length > self._limits.body:
            raise content_too_large()
        if 0 < length <= len(self._buffer):
            self._whole_body(request, length, streams, resource)
            return
        framing = ChunkedReader(self._limits.head) if length == CHUNKED else SizedReader(length)
        if not streams:
            self._incoming = BufferedUpload(framing, request, resource, self._limits.body)
            self.body_wanted()
            return
        request.body = body = RequestBody(self, UNKNOWN_LENGTH if length == CHUNKED else length)
        self._incoming = incoming = StreamedUpload(framing, body)
        if self._buffer:
            self._take_body(incoming)
        incoming.called = True
        request.render_stream(resource)

    def _whole_body(self, request: ProxyRequest, length: int, streams: bool, resource: Any) -> None:
        """All of the body came with the head."""
        data = self._buffer
        content = data if length == len(data) else data[:length]
        self._buffer = data[length:]
        self._expected = False
        if streams:
            request.body = BytesBody(content)
            request.render_stream(resource)
        else:
            request.render_whole(resource, content)

    def _take_body(self, incoming: StreamedUpload | BufferedUpload) -> bool:
        data, self._buffer = self._buffer, b""
        self._expected = False
        framing = incoming.framing
        try:
            piece = framing.feed(data)
        except Refusal as refusal:
            if not incoming.called:
                raise
            self._report(refusal)
            self._cut_body(incoming, refusal)
            return False
        if framing.ended:
            self._buffer = framing.rest
            self._incoming = None
        incoming.arrived(piece)
        return True

    def _cut_body(self, incoming: StreamedUpload | BufferedUpload, reason: Exception) -> None:
        """The body of a request that is being answered will not end as it should."""
        self._broken = True
        self._incoming = None
        self.keep_alive = False
        incoming.fail(reason)

    # -- for the body and its reader

    def body_wanted(self) -> None:
        """Somebody reads the body: a client that waits to be asked for it is asked."""
        if self._expected and self._request is not None and not self._request.startedWriting:
            self._expected = False
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def reconsider(self) -> None:
        """More, or less, is wanted from the client."""
        if not self._looping:
            self._settle()

    # -- for the response

    def may_keep_alive(self) -> bool:
        """
        Whether the connection can be used after this response.

        RFC 9112 section 9.3: not, if more of the body is to come than is worth reading.
        """
        if not self._client_keeps or self._broken or self.site.closing or (self._ended and self._said_all()):
            return False
        incoming = self._incoming
        if incoming is None:
            return True
        if self._expected:
            # RFC 9110 section 10.1.1: it may send the body or not, and we could not tell it from a request.
            return False
        return not incoming.unwanted or self._worth_reading(incoming)

    def _said_all(self) -> bool:
        """A client that sends no more has sent no further request either."""
        return b"\r\n\r\n" not in self._buffer

    def _worth_reading(self, incoming: StreamedUpload | BufferedUpload) -> bool:
        """Whether the rest of a body that nobody wants is small enough to be read, only to keep the connection."""
        left = incoming.framing.left
        return left is not None and left <= self._limits.unread

    def flush_later(self, request: ProxyRequest) -> None:
        """Send what C{request} holds back, at the latest at the end of the reactor's turn."""
        if not self._looping:
            self.site.flush_later(request)

    def response_ended(self, request: ProxyRequest) -> None:
        """Go on with the next request, or close."""
        self._request = None
        incoming = self._incoming
        if incoming is not None:
            incoming.drop()
        ended = self._ended and self._said_all()
        if not self.keep_alive or ended or self._expected or not (incoming is None or self._worth_reading(incoming)):
            self._close()
        if not self._looping:
            if self._buffer:
                self._advance()
            else:
                self._settle()

    def break_off(self, framed: bool) -> None:
        """
        End the connection so that the client sees that something is missing.

        @param framed: closing in order is enough, and leaves the client what it was sent.
        """
        if self._lost:
            return
        if framed and not self._closing:
            self._leave()
        else:
            self._lost = True
            self.transport.abortConnection()

    # -- producers

    def pauseProducing(self) -> None:
        """The client does not take what was written."""
        self.congested = True
        if self._request is None:
            return
        self._unsent = unsent(self.transport)
        self._waits_for(SENDING)
        if self._request.producer is not None:
            self._request.producer.pauseProducing()

    def resumeProducing(self) -> None:
        self.congested = False
        if self._request is not None and self._request.producer is not None:
            self._request.producer.resumeProducing()
        elif self._buffer and not self._looping:
            self._advance()
        self.reconsider()

    def stopProducing(self) -> None:
        """L{connectionLost} follows."""

    def loseConnection(self) -> None:
        """For resources that want to be rid of the client."""
        self._leave()

    def close_if_idle(self) -> None:
        """Close a connection that waits for its next request."""
        if self._delegate is not None:
            self._delegate.close_if_idle()
        elif self._request is None and self._incoming is None and not self._buffer:
            self._leave()

    def isSecure(self) -> bool:
        return self.secure

    def getPeer(self) -> Any:
        return self.transport.getPeer()

    def getHost(self) -> Any:
        return self.transport.getHost()

    # -- the end

    def _refuse(self, refusal: Refusal) -> None:
        request, self._request = self._request, None
        request_id = self.site.request_id(request.raw_fields if request is not None else ())
        self._report(refusal, request_id)
        self._incoming = None
        if request is not None and request.startedWriting:
            self.break_off(framed=False)
            return
        head_only = request is not None and request.method == b"HEAD"
        self.send(refusal_response(refusal, request_id, head_only))
        self._broken = True
        self._close()

    def _report(self, refusal: Refusal, request_id: str = "") -> None:
        self.site.refused(refusal.status, refusal.code, self.client_host, refusal.detail, request_id)

    def _close(self) -> None:
        """
        Close, once what was written is sent.

        RFC 9112 section 9.6: while the client may still be sending, first only our side; a full close would make
        its system throw away what it has not read yet.
        """
        unread = self._incoming is not None or self._buffer or self._broken
        if not self._plain or self._ended or not unread:
            self._leave()
        elif not self._closing:
            self._closing = True
            self._buffer = b""
            self.transport.loseWriteConnection()

    def _leave(self) -> None:
        self._closing = True
        self._buffer = b""
        # Twisted does not close under a producer that it has paused.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.reconsider()

    # -- reading and time

    def _settle(self) -> None:
        """Send what is held, read or do not, and note what is waited for."""
        if self._lost or self._delegate is not None:
            return
        request = self._request
        if request is not None and request._held is not None:
            request.flush()
        if self._at_ease():
            self._waits_for(IDLE if request is None else NOTHING)
            return
        wanted = self._wants_more()
        if wanted is not self._reading and not self._ended:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()
        phase = self._phase_now()
        if phase not in (HEAD, SENDING) or phase != self._patience.phase:
            self._waits_for(phase)

    def _waits_for(self, phase: int) -> None:
        """From now on, for this."""
        patience = self._patience
        patience.phase = phase
        if phase != NOTHING:
            patience.since = self._now()

    def _at_ease(self) -> bool:
        """Nothing is on its way from the client and all of it may come, as nearly always: there is little to settle."""
        return (
            self._reading
            and self._incoming is None
            and not (self._buffer or self._closing or self._broken or self.congested or self._ended)
        )

    def _wants_more(self) -> bool:
        if self._closing or self._broken:
            return True
        incoming = self._incoming
        if incoming is not None:
            if incoming.dropped and self._request is not None:
                # Dropped while the response is under way: enough to see the end of a small one.
                return self._worth_reading(incoming)
            return incoming.hungry
        return len(self._buffer) <= self._limits.waiting and not (self._request is None and self.congested)

    def _phase_now(self) -> int:
        if self._closing:
            return CLOSING
        if self.congested and self._request is not None:
            return SENDING
        incoming = self._incoming
        if incoming is not None:
            wanted = incoming.hungry and not incoming.unwanted
            return BODY if wanted or self._request is None else NOTHING
        if self._request is not None:
            return NOTHING
        return HEAD if self._buffer and not self.congested else IDLE

    def _overdue(self) -> None:
        phase, incoming = self._patience.phase, self._incoming
        if phase in (IDLE, CLOSING, SENDING) and self._taking():
            self._waits_for(phase)
            return
        if phase == HEAD:
            self._refuse(too_many_connections() if self.unwelcome else too_slow("request head took too long"))
        elif phase in (CLOSING, SENDING):
            self._lost = True
            self.transport.abortConnection()
        elif phase == IDLE or self._request is None or incoming is None:
            self._leave()
        elif incoming.called:
            self._cut_body(incoming, RequestBodyTimeout())
        else:
            self._refuse(too_slow("request body took too long"))
        self._settle()

    def _taking(self) -> bool:
        """Whether the client is still taking what was written: something of it has left since the last look."""
        left = unsent(self.transport)
        before, self._unsent = self._unsent, left
        return 0 < left != before

    def _stop_timers(self) -> None:
        self._patience.end()
        if self._departure is not None:
            self._departure.end()


def _without_empty_lines(data: bytes) -> bytes:
    """RFC 9112 section 2.2: empty lines before the request line are passed over."""
    at = 0
    while data.startswith(b"\r\n", at):
        at += 2
    return data[at:]
