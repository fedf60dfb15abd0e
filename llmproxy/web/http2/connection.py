"""
The server's side of an HTTP/2 connection: a state machine (L{llmproxy.core.http2.events.StateMachine}) between a
transport and requests.

The machine knows frames, windows and faults; here are sockets, time, and the turns of those that send. Streams are
dispatched when what was read with their head has been looked at, and L{llmproxy.web.http2.request} does for each what
L{llmproxy.web.http1.channel} does for a connection::

    open --client's GOAWAY, or closing down--> leaving, once no stream is left --> closing --> closed
      |                 a fault of the connection: GOAWAY, all streams end           |
      +------------------------------------------------------------------------------+

While the proxy closes down, a client that begins more streams on a busy connection is asked to leave, in the two steps
of RFC 9113 section 6.8. One that only waits for its answers is not: h2, and with it httpx, takes GOAWAY for the end of
the connection (issue 1181 of python-hyper/h2), and would lose what it waits for and what is paid for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol, IPushProducer, ISSLTransport
from twisted.python.failure import Failure
from zope.interface import classImplements

from ...core.http2 import events
from ...core.http2.frames import ErrorCode
from ...core.http2.machine import ServerMachine
from ...core.http2.turns import Turns
from ...net.twistedinternals import sender
from ..clientaddress import host_of
from ..http1.sending import Outflow
from .request import Http2Request
from .sectiontimer import SectionTimer
from .stallwatch import StallWatch

if TYPE_CHECKING:
    from ...core.clientlimits import Limits
    from ...core.http2.events import StateMachine
    from ...message import Field
    from ...net.timers import Deadline
    from ..contracts import IHeldResponse, IServerSite
    from .response import ISettled

_AT_ONCE = 64 * 1024
"""Bytes that are given to the transport in one piece; it pauses then, or takes more."""

_PER_FIELD = 64
"""Bytes for each field of a head: 32 that RFC 9113 section 6.5.2 adds, and as many so that 431 can be the answer."""

_ROUND_TRIP = 1.0
"""Seconds until a client has got a GOAWAY, and what it had sent before has come."""

_LINGER = 0.5
"""Seconds for a client to read why it was broken off."""


class Http2Connection:
    """
    @ivar secure: it is TLS.
    @ivar congested: the client does not take what was written.
    @ivar streams: the requests that are not over yet, by their streams.
    @param machine: in place of our own.
    """

    transport: Any = None
    client_host = ""
    secure = False
    congested = False
    _reading = _leaving = _lost = False
    _client_leaves = _asked_to_leave = False
    _idle: Deadline | None = None
    _stalls: StallWatch | None = None
    _last_streams: Deadline | None = None

    def __init__(self, site: IServerSite, machine: StateMachine | None = None) -> None:
        self.site = self.factory = site
        self.machine: StateMachine = _machine(site.limits) if machine is None else machine
        self.streams: dict[int, Http2Request] = {}
        self._turns = Turns()
        self._begun: list[Http2Request] = []
        self._fed: dict[ISettled, None] = {}
        self._ready = 0
        self._section = SectionTimer(site.wheel, site.limits.head_time, self._section_is_late)

    # -- the connection

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        transport = self.transport
        self.client_host = host_of(transport.getPeer())
        self._to_transport = sender(transport, self.site.poller, transport.write)
        self.secure = ISSLTransport.providedBy(transport)
        wheel, limits = self.site.wheel, self.site.limits
        self._idle = wheel.start(limits.idle, self._is_idle)
        self._stalls = StallWatch(wheel, limits.send_silence, self, Outflow(transport))
        self.machine.initiate_connection()
        self.flush()

    def dataReceived(self, data: bytes) -> None:
        if self._leaving:
            return
        self._reading = True
        for event in self.machine.receive_data(data, self.site.wheel.now()):
            _RECEIVERS[type(event)](self, event)
        begun, self._begun = self._begun, []
        for request in begun:
            request.begin()
        self._reading = False
        if self._fed:
            fed, self._fed = self._fed, {}
            for settled in fed:
                settled.settle()
        self._section.watch(self.machine.within_a_section)
        self._send()
        self._leave_if_done()

    def connectionLost(self, reason: Failure) -> None:
        self._lost = self._leaving = True
        self._stop_timers()
        self._end_all(reason)

    def readConnectionLost(self) -> None:
        """The client sends no more: over HTTP/2 it cannot take its answers without saying so."""
        self.transport.loseConnection()

    def _end_all(self, reason: Failure) -> None:
        streams, self.streams = self.streams, {}
        for request in streams.values():
            request.connectionLost(reason)

    def pauseProducing(self) -> None:
        """The client does not take what was written."""
        self.congested = True

    def resumeProducing(self) -> None:
        self.congested = False
        self._send()

    def stopProducing(self) -> None:
        """L{connectionLost} follows."""

    # -- what comes

    def _request_received(self, event: events.RequestReceived) -> None:
        request = Http2Request(self, event.stream, event.fields, event.ended)
        self.streams[event.stream] = request
        self._begun.append(request)
        if self.site.closing and len(self.streams) > 1 and not self._asked_to_leave:
            self._ask_to_leave()

    def _ask_to_leave(self) -> None:
        """The client begins more while it waits for an answer: it is to use another connection."""
        self._asked_to_leave = True
        self.machine.begin_shutdown()
        self._last_streams = self.site.wheel.start(_ROUND_TRIP, self._refuse_streams)

    def _refuse_streams(self) -> None:
        self._last_streams = None
        self.machine.refuse_streams()
        self.flush()

    def _data_received(self, event: events.DataReceived) -> None:
        request = self.streams.get(event.stream)
        if request is None:
            self.machine.acknowledge_received_data(event.size, event.stream)
        else:
            request.data_received(event.content, event.size, event.ended)

    def _trailers_received(self, event: events.TrailersReceived) -> None:
        request = self.streams.get(event.stream)
        if request is not None:
            request.ended_with(event.fields)

    def _stream_reset(self, event: events.StreamReset) -> None:
        if not event.by_peer:
            self._refused(event.code, event.detail)
        request = self._forget(event.stream)
        if request is not None:
            request.connectionLost(Failure(ConnectionDone()))

    def _window_opened(self, event: events.WindowOpened) -> None:
        if event.stream:
            request = self.streams.get(event.stream)
            if request is not None:
                request.window_opened()
            return
        for request in list(self.streams.values()):
            request.window_opened()

    def _client_leaving(self, event: events.ClientLeaving) -> None:
        self._client_leaves = True

    def _failed(self, event: events.ConnectionFailed) -> None:
        self._refused(event.code, event.detail)
        self._break_off()
        self._end_all(Failure(ConnectionAborted()))

    def _refused(self, code: int, detail: str) -> None:
        """Note what never became a request, or is none any more, by its name in RFC 9113 section 7."""
        name = "malformed_request" if code == ErrorCode.PROTOCOL_ERROR else ErrorCode(code).name.lower()
        self.site.refused(400, name, self.client_host, f"HTTP/2: {detail}")

    # -- what is sent

    def ready(self, stream: int) -> None:
        """C{stream} has something to send."""
        self._turns.add(stream)
        if not self._reading:
            self._send()

    def _send(self) -> None:
        if self._turns:
            self._turns.take(self._send_one, self._may_send)
        self.flush()

    def _may_send(self) -> bool:
        if self._ready > _AT_ONCE:
            self.flush()
        return not self.congested

    def _send_one(self, stream: int) -> bool:
        request = self.streams.get(stream)
        if request is None:
            return False
        sent, more = request.send_one()
        self._ready += sent
        return more

    def flush(self) -> None:
        """Give the transport what the machine has for it."""
        data = self.machine.data_to_send()
        self._ready = 0
        if data and not self._lost:
            self._to_transport(data)

    def flush_soon(self) -> None:
        """Flush once what was read has been handled."""
        if not self._reading:
            self.flush()

    def flush_later(self, request: IHeldResponse) -> None:
        """Flush C{request}, at the latest at the end of the reactor's turn."""
        self.site.flush_later(request)

    # -- for the requests

    def settle(self, request: ISettled) -> None:
        """Read more of C{request}'s body or do not, once all that was read is handed out."""
        if self._reading:
            self._fed[request] = None
        else:
            request.settle()
            self.flush()

    def acknowledge(self, size: int, stream: int) -> None:
        """C{size} of what came on the stream was taken."""
        self.machine.acknowledge_received_data(size, stream)

    def interim(self, stream: int, section: list[Field]) -> None:
        self.machine.send_headers(stream, section)
        self.flush_soon()

    def over(self, stream: int, whole: bool) -> None:
        """
        All of a response is sent.

        @param whole: all of its request has come.
        """
        if not whole:
            # RFC 9113 section 8.1: the answer is complete, and the rest of the request is not wanted.
            self.machine.reset_stream(stream, ErrorCode.NO_ERROR)
        self._forget(stream)
        if not self._reading:
            self._leave_if_done()

    def reset(self, stream: int, code: int) -> None:
        """End a stream before its time."""
        self.machine.reset_stream(stream, code)
        self._forget(stream)
        if not self._reading:
            self.flush()
            self._leave_if_done()

    def _forget(self, stream: int) -> Http2Request | None:
        request = self.streams.pop(stream, None)
        self._turns.remove(stream)
        if request is not None:
            # What was not read counts against the window that all streams share.
            self.acknowledge(request.unread, stream)
            if not self.streams and self._idle is not None:
                self._idle.at = self.site.wheel.now() + self.site.limits.idle
        return request

    # -- the end

    def close_if_idle(self) -> None:
        """Close a connection that waits for its next request."""
        if not self.streams and not self._leaving:
            self.machine.close_connection()
            self._close()

    def _leave_if_done(self) -> None:
        if self._client_leaves or self.site.closing:
            self.close_if_idle()

    def _close(self) -> None:
        """Nothing more is sent: the client has C{limits.closing} to take what was written, and to close."""
        self._leave(self.site.limits.closing)
        self.transport.loseConnection()
        if self.secure:
            # TLS would wait for the client's close_notify.
            self.transport.transport.loseConnection()

    def _break_off(self) -> None:
        """
        Close our side after a fault.

        While the client may still be sending, first only our side closes: a full close would make its system throw
        away what it has not read yet, the GOAWAY too.
        """
        self._leave(min(self.site.limits.closing, _LINGER))
        if self.secure:
            # It closes our side of TLS; that of TCP cannot be closed below it (Twisted 26.10 would stumble).
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()

    def _leave(self, seconds: float) -> None:
        self._leaving = True
        self._stop_timers()
        self.flush()
        self.transport.unregisterProducer()
        self._idle = self.site.wheel.start(seconds, self._give_up)

    def _give_up(self) -> None:
        self._idle = None
        self.abort()

    def abort(self) -> None:
        """Cut it, without a word."""
        if not self._lost:
            self.transport.abortConnection()

    # -- time

    def _is_idle(self) -> None:
        """There was no request for C{limits.idle}. A client that waits for an answer is not idle."""
        self._idle = None
        self.close_if_idle()
        if not self._leaving:
            self._idle = self.site.wheel.start(self.site.limits.idle, self._is_idle)

    def _section_is_late(self) -> None:
        if not self._leaving:
            self.site.refused(408, "request_timeout", self.client_host, "request head took too long")
            self.machine.close_connection(ErrorCode.ENHANCE_YOUR_CALM)
            self._break_off()
            self._end_all(Failure(ConnectionAborted()))

    def _stop_timers(self) -> None:
        self._section.stop()
        if self._stalls is not None:
            self._stalls.stop()
        for timer in (self._idle, self._last_streams):
            if timer is not None:
                timer.end()
        self._idle = self._stalls = self._last_streams = None


classImplements(Http2Connection, IProtocol, IPushProducer)

_RECEIVERS: dict[type, Callable[[Http2Connection, Any], None]] = {
    events.RequestReceived: Http2Connection._request_received,
    events.DataReceived: Http2Connection._data_received,
    events.TrailersReceived: Http2Connection._trailers_received,
    events.StreamReset: Http2Connection._stream_reset,
    events.WindowOpened: Http2Connection._window_opened,
    events.ClientLeaving: Http2Connection._client_leaving,
    events.ConnectionFailed: Http2Connection._failed,
}


def _machine(limits: Limits) -> StateMachine:
    """What is a little too large is refused in order; beyond that the connection ends."""
    return ServerMachine(limits.head + _PER_FIELD * limits.fields)
