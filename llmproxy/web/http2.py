"""
One HTTP/2 connection: Twisted's own implementation, with what it leaves open for a proxy.

Twisted hands requests over when they are whole, times out a connection whose client waits for its answer, knows no
trailers, and keeps whatever is written until the client takes it. Here streams are dispatched when what was read with
their head has been looked at, and L{llmproxy.web.http2request} does for each what L{llmproxy.web.channel} does for a
connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, TrailersReceived
from h2.exceptions import ProtocolError
from priority import PriorityTree
from twisted.internet.interfaces import ISSLTransport
from twisted.web._http2 import H2Connection as TwistedConnection

from .http2request import Http2Request

if TYPE_CHECKING:
    from ..message import Field
    from .site import ProxySite

_WINDOW = 1024 * 1024
"""
Bytes that all uploads of a connection together have under way. A stream has 64 KiB (RFC 9113 section 6.9.2): one whose
upstream is slow must not use up the window of the others.
"""


class Http2Connection(TwistedConnection):
    """
    @ivar secure: it is TLS.
    """

    streams: dict[int, Any]
    transport: Any
    conn: Any
    site: Any
    factory: Any
    timeOut: Any
    callLater: Any
    requestFactory = Http2Request

    def __init__(self, site: ProxySite) -> None:
        super().__init__(site.reactor)
        self.site = self.factory = site
        self.conn = _Frames(self, 2 * site.limits.head)
        self.priority = _Ready(self.may_send)
        self.timeOut = site.limits.idle
        self.callLater = site.reactor.callLater
        self.secure = False
        self._begun: list[Http2Request] = []
        self._fed: set[Http2Request] = set()
        self._reading = self._leaving = False

    def connectionMade(self) -> None:
        self.secure = ISSLTransport.providedBy(self.transport)
        super().connectionMade()
        self.conn.increment_flow_control_window(_WINDOW - 65_535)
        self._tryToWriteControlData()

    def dataReceived(self, data: bytes) -> None:
        if self._leaving:
            return
        self._reading = True
        super().dataReceived(data)
        begun, self._begun = self._begun, []
        for request in begun:
            request.begin()
        self._reading = False
        fed, self._fed = self._fed, set()
        for request in fed:
            request.settle()
        self._go_on()

    def timeoutConnection(self) -> None:
        """Whoever waits for an answer is not idle: an exchange has deadlines of its own."""
        if self._leaving:
            self.transport.abortConnection()
        elif self.streams:
            self.setTimeout(self.timeOut)
        else:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close a connection that waits for its next request."""
        if self.streams or not self._stillProducing or self._leaving:
            return
        self._leave()
        self.conn.close_connection(ErrorCodes.NO_ERROR)
        if self._tryToWriteControlData():
            self.transport.loseConnection()

    def _leave(self) -> None:
        """The client has so long to take what was written, and to close."""
        self._leaving = True
        self.setTimeout(self.site.limits.closing)

    def malformed(self) -> None:
        """What comes from the client is no HTTP/2; Twisted ends all streams, and the connection."""
        self._leave()
        client = getattr(self.transport.getPeer(), "host", "") or ""
        self.site.refused(400, "malformed_request", client, "HTTP/2 protocol error")

    # -- sending

    def may_send(self, stream: int) -> bool:
        """Whether the client's window has room for what is next in the stream."""
        following = self._outboundStreamQueues[stream][0]
        # What is no bytes ends the stream, and needs no window.
        return not isinstance(following, bytes) or self.conn.local_flow_control_window(stream) > 0

    def _go_on(self) -> None:
        """What has come may have opened windows."""
        for stream in list(self.streams.values()):
            stream.windowUpdated()
        waiting = [stream for stream, queue in self._outboundStreamQueues.items() if queue]
        for stream_id in waiting:
            self.priority.unblock(stream_id)
        sending = self._sendingDeferred
        if waiting and sending is not None:
            self._sendingDeferred = None
            sending.callback(None)

    # -- for the requests

    def settle(self, request: Http2Request) -> None:
        """Read more of C{request}'s body or do not, once all that was read is handed out."""
        if self._reading:
            self._fed.add(request)
        else:
            request.settle()

    def ask_for_body(self, stream: int) -> None:
        super()._send100Continue(stream)

    def interim(self, stream: int, status: int, fields: list[Field]) -> None:
        self.conn.send_headers(stream, [(b":status", b"%d" % status), *fields])
        self._tryToWriteControlData()

    def trail(self, stream: int, fields: list[Field]) -> None:
        """Send C{fields} at the end of the stream."""
        self.conn.outgoing[stream] = fields

    # -- Twisted's, for each stream

    def _requestReceived(self, event: Any) -> None:
        super()._requestReceived(event)
        request: Http2Request = self.streams[event.stream_id]._request
        request.take_head(event.headers, event.stream_ended is not None)
        self._begun.append(request)

    def _requestDataReceived(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestDataReceived(event)
        elif event.flow_controlled_length:
            # The answer has ended before the request.
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _requestEnded(self, event: Any) -> None:
        if event.stream_id in self.streams:
            self.streams[event.stream_id]._request.trailers = self.conn.incoming.pop(event.stream_id, [])
            super()._requestEnded(event)

    def _requestAborted(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestAborted(event)

    def _send100Continue(self, streamID: int) -> None:
        """Not before somebody wants the body: L{ask_for_body}."""

    def endRequest(self, streamID: int) -> None:
        # Twisted may take the stream away within this call, while somebody goes through all of them.
        self._reactor.callLater(0, self._end, streamID)

    def _end(self, streamID: int) -> None:
        if streamID in self.streams:
            super().endRequest(streamID)

    def abortRequest(self, streamID: int) -> None:
        """RFC 9113 section 7: C{NO_ERROR}, which Twisted sends, says that all is well with what has come."""
        if streamID in self.streams and self._stillProducing:
            self._outboundStreamQueues[streamID].clear()
            self.priority.block(streamID)
            self._reset(streamID, ErrorCodes.INTERNAL_ERROR)
            self._reactor.callLater(0, self._drop, streamID)

    def _drop(self, streamID: int) -> None:
        if streamID in self.streams:
            self._requestDone(streamID)

    def _reset(self, streamID: int, code: ErrorCodes) -> None:
        try:
            self.conn.reset_stream(streamID, error_code=code)
        except ProtocolError:
            # It is closed on both sides, or with its connection.
            return
        self._tryToWriteControlData()

    def _requestDone(self, streamID: int) -> None:
        stream = self.streams[streamID]
        unread = sum(size for _, size in stream._inboundDataBuffer if size)
        stream._inboundDataBuffer.clear()
        super()._requestDone(streamID)
        self.conn.outgoing.pop(streamID, None)
        if not self._stillProducing:
            return
        if unread:
            # They count against the window that all streams share.
            self.conn.acknowledge_received_data(unread, streamID)
        if not stream._request.whole:
            # RFC 9113 section 8.1: the answer is complete, and the rest of the request is not wanted.
            self._reset(streamID, ErrorCodes.NO_ERROR)
        if self.site.closing:
            self.close_if_idle()

    def _sendPrioritisedData(self, *args: Any) -> None:
        super()._sendPrioritisedData(*args)
        sent, self.conn.sent = self.conn.sent, []
        for stream_id, size in sent:
            stream = self.streams.get(stream_id)
            if stream is not None:
                stream._request.sent(size)


class _Frames(H2Connection):
    """
    h2's state machine, and what Twisted does not ask it for.

    @ivar incoming: trailers that came, by stream.
    @ivar outgoing: trailers that are to follow the content.
    @ivar sent: stream and size of what was written since somebody looked.
    """

    def __init__(self, owner: Http2Connection, head_limit: int) -> None:
        self.DEFAULT_MAX_HEADER_LIST_SIZE = head_limit
        super().__init__(H2Configuration(client_side=False, header_encoding=None))
        self._owner = owner
        self.incoming: dict[int, list[Field]] = {}
        self.outgoing: dict[int, list[Field]] = {}
        self.sent: list[tuple[int, int]] = []

    def receive_data(self, data: Any) -> list[Event]:
        try:
            events: list[Event] = super().receive_data(data)
        except ProtocolError:
            self._owner.malformed()
            raise
        for event in events:
            if isinstance(event, TrailersReceived):
                self.incoming[event.stream_id] = event.headers
        return events

    def send_data(self, stream_id: int, data: Any, *args: Any, **options: Any) -> None:
        super().send_data(stream_id, data, *args, **options)
        self.sent.append((stream_id, len(data)))

    def end_stream(self, stream_id: int) -> None:
        trailers = self.outgoing.pop(stream_id, None)
        if trailers:
            self.send_headers(stream_id, trailers, end_stream=True)
        else:
            super().end_stream(stream_id)


class _Ready(PriorityTree):
    """
    Whose turn it is to send: of those who can.

    Twisted asks again and again, as fast as it can, for a stream whose client takes nothing.
    """

    def __init__(self, may_send: Callable[[int], bool]) -> None:
        super().__init__()
        self._may_send = may_send

    def __next__(self) -> int:
        while True:
            stream: int = super().__next__()
            if self._may_send(stream):
                return stream
            self.block(stream)
