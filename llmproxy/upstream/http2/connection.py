"""
One HTTP/2 connection to upstream, and its streams: many exchanges at once.

L{llmproxy.core.http2.clientmachine} knows frames, windows and faults; here are the transport and the turns of those
that send. Each exchange is an L{UpstreamStream}::

    open --GOAWAY, or too old--> used up, once no stream is left --> closing --> closed
      |        a fault of the connection: GOAWAY, all streams fail       |
      +------------------------------------------------------------------+
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet import protocol
from twisted.internet.interfaces import IPushProducer, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from ...core.http2 import events
from ...core.http2.clientmachine import ClientMachine
from ...core.http2.turns import Turns
from ...errors import UpstreamProtocolError
from ...net.keepalive import keep_alive
from ...net.twistedinternals import sender
from ..writing import readable
from .stream import UpstreamStream

if TYPE_CHECKING:
    from ...net.poller import Poller
    from ...net.timers import Deadline
    from ..exchange import Exchange
    from ..tls import ClientTls

_TRUSTED_FOR = 1.0
"""Seconds for which nobody is asked whether a connection without streams still stands."""

_AT_ONCE = 64 * 1024
"""Bytes that are given to the transport in one piece; it pauses then, or takes more."""

MOST_RESETS = 100
"""
Requests that may be given up on one connection, if they are more than half of all. Servers end connections with more
(CVE-2023-44487; Envoy's limit is half of 500): what one client gives up is not to cost the others theirs.
"""

_SILENCE = 1.0
"""Seconds of silence after which a request that is given up is a reason to ask whether anybody is there."""

_ALIVE_WITHIN = 15.0
"""Seconds for the answer; Go's client and that of Envoy wait as long or longer."""

_GOODBYE = 1.0
"""Seconds for upstream to take our last words and close, before the connection is cut."""


class SharedOwner(Protocol):
    """What a connection tells those that it belongs to."""

    def now(self) -> float:
        """Seconds of the clock of all timers."""

    def later(self, proceed: Callable[[], None], /) -> Deadline | None:
        """Call C{proceed} when upstream has said nothing to an C{Expect} for long enough; C{None} for never."""

    def after(self, seconds: float, call: Callable[[], None], /) -> Deadline:
        """A place on the wheel."""

    def changed(self, connection: SharedConnection, /) -> None:
        """Streams have ended, or upstream has said how many it takes."""

    def lost(self, connection: SharedConnection, /) -> None:
        """It is closed."""

    def interrupted(
        self, connection: SharedConnection, exchange: Exchange, sent: bool, answered: bool, refused: bool, http1: bool
    ) -> None:
        """No response to C{exchange} will come there; see L{llmproxy.upstream.http2.stream.Carrier}."""


@implementer(IPushProducer)
class SharedConnection(protocol.Protocol):
    """
    @ivar streams: what runs, by its number.
    @ivar served: how many exchanges have ended here.
    @ivar idle_since: when its last stream ended, on the owner's clock.
    @ivar retires_at: when it is too old for another exchange, on the same clock.
    @ivar deadline: the owner's, for closing it when it has been idle too long.
    """

    def __init__(self, owner: SharedOwner, *, poller: Poller, tls: ClientTls | None, head_limit: int) -> None:
        self._owner = owner
        self._poller = poller
        self._tls = tls
        self.machine = ClientMachine(head_limit)
        self.streams: dict[int, UpstreamStream] = {}
        self._turns = Turns()
        self._held = self._closing = self._congested = self._lost = False
        self._ready = self._resets = 0
        self._goodbye: Deadline | None = None
        self._doubt: Deadline | None = None
        self._heard_at = owner.now()
        self.served = 0
        self.idle_since = self.retires_at = 0.0
        self.deadline: Deadline | None = None

    # -- the transport

    def connectionMade(self) -> None:
        transport: Any = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
            keep_alive(transport)
        transport.registerProducer(self, True)
        self._to_transport = sender(transport, self._poller, transport.write)
        self.machine.initiate_connection()
        self.flush()

    def dataReceived(self, data: bytes) -> None:
        if self._closing and not self.streams:
            return
        self._heard_at = self._owner.now()
        self._believe()
        was_held, self._held = self._held, True
        touched: dict[UpstreamStream, None] = {}
        failed: events.ConnectionFailed | None = None
        for event in self.machine.receive_data(data, self._heard_at):
            kind = type(event)
            if kind is events.ConnectionFailed:
                failed = event  # type: ignore[assignment]
            elif kind is events.WindowOpened:
                self._window_opened(event.stream)  # type: ignore[union-attr]
            elif kind in _OF_STREAMS:
                stream = self.streams.get(event.stream)  # type: ignore[union-attr]
                if stream is not None:
                    _OF_STREAMS[kind](stream, event)
                    touched[stream] = None
                elif kind is events.DataReceived:
                    self.machine.acknowledge_received_data(event.size, event.stream)  # type: ignore[union-attr]
        for stream in touched:
            try:
                stream.settle()
            except Exception:
                # Whatever a reader stumbles over: the others go on.
                stream.cut(Failure())
        self._held = was_held
        if failed is not None:
            self._failed(failed)
            return
        self._send()
        self._owner.changed(self)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._lost = self._closing = True
        if self._goodbye is not None:
            self._goodbye.end()
            self._goodbye = None
        self._believe()
        for stream in list(self.streams.values()):
            stream.lost()
        self._owner.lost(self)

    def pauseProducing(self) -> None:
        """Upstream does not take what was written."""
        self._congested = True

    def resumeProducing(self) -> None:
        self._congested = False
        self._send()

    def stopProducing(self) -> None:
        """L{connectionLost} follows."""

    # -- exchanges

    def takes(self, now: float) -> bool:
        """Whether another exchange can be sent here, as far as is known."""
        if self._closing or self._doubt is not None or now >= self.retires_at or not self.machine.can_begin:
            return False
        if self.streams:
            return self.machine.settled
        # Upstream closes what was idle for some time: after a while, ask the kernel before a request is lost to it.
        return now - self.idle_since < _TRUSTED_FOR or not readable(self.transport)

    @property
    def settled(self) -> bool:
        """Upstream has said how many streams it takes."""
        return self.machine.settled

    def is_done_with(self, now: float) -> bool:
        """Whether no exchange will begin here any more."""
        return self._closing or now >= self.retires_at or self.machine.is_used_up or not self.machine.most_streams

    def start(self, exchange: Exchange) -> None:
        """Send the request of C{exchange}; L{takes} holds."""
        stream = UpstreamStream(self, exchange)
        was_held, self._held = self._held, True
        self.streams[stream.begin()] = stream
        stream.send_body()
        self._held = was_held
        if not was_held:
            self._send()

    def _window_opened(self, number: int) -> None:
        if number:
            stream = self.streams.get(number)
            if stream is not None:
                stream.window_opened()
            return
        for stream in list(self.streams.values()):
            stream.window_opened()

    def _failed(self, failed: events.ConnectionFailed) -> None:
        """What came makes no sense, or is too much of no use: a GOAWAY has been made."""
        self._close()
        reason = UpstreamProtocolError(f"upstream's HTTP/2: {failed.detail}")
        for stream in list(self.streams.values()):
            stream.cut(Failure(reason))

    # -- for the streams

    def ready(self, stream: int) -> None:
        self._turns.add(stream)
        if not self._held:
            self._send()

    def _send(self) -> None:
        if self._turns and not self._congested:
            was_held, self._held = self._held, True
            self._turns.take(self._send_one, self._may_send)
            self._held = was_held
        self.flush()

    def _may_send(self) -> bool:
        if self._ready > _AT_ONCE:
            self._write()
        return not self._congested

    def _send_one(self, number: int) -> bool:
        stream = self.streams.get(number)
        if stream is None:
            return False
        sent, more = stream.send_one()
        self._ready += sent
        return more

    def flush(self) -> None:
        if not self._held:
            self._write()

    def _write(self) -> None:
        data = self.machine.data_to_send()
        self._ready = 0
        if data and not self._lost:
            self._to_transport(data)

    def over(self, stream: UpstreamStream, code: int | None) -> None:
        if self.streams.pop(stream.number, None) is None:
            return
        self._turns.remove(stream.number)
        if code is not None and not self._lost and self.machine.is_open(stream.number):
            self._ask_if_silent()
            self.machine.reset_stream(stream.number, code)
            self._resets += 1
            if self._resets >= MOST_RESETS and 2 * self._resets > self.served:
                self.retires_at = -math.inf
        if self.served == 0 and self._tls is not None and not self._lost:
            self._tls.remember(self.transport.getHandle())  # type: ignore[union-attr]
        self.served += 1
        if not self.streams:
            self.idle_since = self._owner.now()
        if not self._held and not self._lost:
            self.flush()
            self._owner.changed(self)

    def _ask_if_silent(self) -> None:
        """
        A request was given up. A connection on which nothing comes any more would take the next ones with it: until
        upstream has answered a PING, they go elsewhere.
        """
        now = self._owner.now()
        if self._doubt is None and not self._closing and now - self._heard_at >= _SILENCE:
            self._doubt = self._owner.after(_ALIVE_WITHIN, self._is_dead)
            self.machine.ping()

    def _believe(self) -> None:
        doubt, self._doubt = self._doubt, None
        if doubt is not None:
            doubt.end()

    def _is_dead(self) -> None:
        self._doubt = None
        self.abort()

    def later(self, proceed: Callable[[], None]) -> Deadline | None:
        return self._owner.later(proceed)

    def interrupted(
        self, exchange: Exchange, *, sent: bool, answered: bool, refused: bool = False, http1: bool = False
    ) -> None:
        self._owner.interrupted(self, exchange, sent, answered, refused, http1)

    # -- the end

    def expired(self) -> None:
        """The deadline of a connection without streams has passed; at work it does not count."""
        self.deadline = None
        if not self.streams:
            self.close()

    def close(self) -> None:
        """Close in order; nothing runs here."""
        if not self._closing:
            self.machine.close_connection()
            self._close()

    def _close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._believe()
        self._write()
        transport: Any = self.transport
        transport.unregisterProducer()
        transport.loseConnection()
        if self._tls is not None:
            # TLS would wait for upstream's goodbye; ours is on its way, and that is enough.
            transport.transport.loseConnection()
        self._goodbye = self._owner.after(_GOODBYE, self._give_up)

    def _give_up(self) -> None:
        self._goodbye = None
        self.abort()

    def abort(self) -> None:
        """Cut it, whatever is going on."""
        self._closing = True
        if not self._lost:
            self.transport.abortConnection()  # type: ignore[union-attr]

    def cut(self, reason: Failure) -> None:
        """Close at once, and fail all exchanges with C{reason}."""
        self.machine.close_connection()
        self._close()
        for stream in list(self.streams.values()):
            stream.cut(reason)


def _data(stream: UpstreamStream, event: events.DataReceived) -> None:
    stream.received(event.content, event.size, event.ended)


_OF_STREAMS: dict[type, Callable[[UpstreamStream, Any], None]] = {
    events.ResponseReceived: UpstreamStream.headed,
    events.DataReceived: _data,
    events.TrailersReceived: lambda stream, event: stream.ended_with(event.fields),
    events.InterimReceived: lambda stream, event: stream.interim(event.status, event.fields),
    events.StreamReset: lambda stream, event: stream.reset(event.code, event.detail, event.by_peer),
}
