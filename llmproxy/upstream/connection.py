"""
One connection to upstream: one exchange at a time, kept for the next one.

An exchange passes through here in two parts, which may overlap: its upload (L{Upload}) and its response
(L{ResponseReader}, then L{UpstreamBody}). The connection goes back to its owner when both have ended
well; in every other case it is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import classImplements

from ..apisettings import HEAD_LIMIT
from ..bodies import BytesBody
from ..core.fields import forwardable
from ..core.keeping import announced
from ..core.upgraderequest import agreed
from ..errors import UpstreamProtocolError, UpstreamReset
from ..net.keepalive import keep_alive
from .body import UpstreamBody
from .parsing import ResponseReader
from .reading import READ, adapt
from .response import UpstreamResponse
from .upgradedupload import Switched
from .upload import Upload
from .writing import Send, readable, sender, unwritten

_TRUSTED_FOR = 1.0
"""Seconds. No server in use closes a kept connection sooner; shortest are Node's 5 and Apache's 5."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IPushProducer

    from ..net.poller import Poller
    from ..net.timers import Deadline
    from .exchange import Exchange
    from .tls import ClientTls


class Owner(Protocol):
    """What a connection tells the pool."""

    def released(self, connection: Connection, /) -> None:
        """It can take another exchange."""

    def lost(self, connection: Connection, /) -> None:
        """It is closed."""

    def later(self, proceed: Callable[[], None], /) -> Deadline | None:
        """Call C{proceed} when upstream has said nothing to an C{Expect} for long enough; C{None} for never."""

    def interrupted(self, connection: Connection, exchange: Exchange, sent: bool, answered: bool, /) -> None:
        """It was lost before the response head of C{exchange} had come."""

    def dropped(self, connection: Connection, /) -> None:
        """It has been kept for long enough, or cannot be kept."""


class Connection(protocol.Protocol):
    """
    @ivar ready: fires once requests can be sent: over TLS, after the handshake.
    @ivar opened: requests could be sent; before that the owner does not know of this connection.
    @ivar served: how many exchanges it has served.
    @ivar idle_since: when it was last released, on the owner's clock.
    @ivar retires_at: when it is too old for another exchange, on the same clock.
    @ivar keeps_for: how long upstream said that it keeps it, with its first response; C{None} if it did not.
    @ivar deadline: the owner's, for closing it when it has been idle too long.
    """

    def __init__(
        self, owner: Owner, *, poller: Poller, tls: ClientTls | None = None, head_limit: int = HEAD_LIMIT
    ) -> None:
        self._owner = owner
        self._poller = poller
        self._tls = tls
        self._reader = ResponseReader(head_limit)
        self._exchange: Exchange | None = None
        self._upload: Upload | None = None
        self._body: UpstreamBody | None = None
        self._switched: Switched | None = None
        self._closing = False
        self._paused = False
        self._reads_more = False
        self._given = 0
        self.ready: Deferred[Connection] = Deferred(lambda _: self.abandon())
        self.opened = False
        self.served = 0
        self.idle_since = self.retires_at = 0.0
        self.keeps_for: float | None = None
        self.deadline: Deadline | None = None

    # -- opening

    def connectionMade(self) -> None:
        assert self.transport is not None
        if ITCPTransport.providedBy(self.transport):
            # Pieces of an upload, and what is said after an upgrade, do not wait for more: RFC 9293 section 3.7.4.
            self.transport.setTcpNoDelay(True)
            keep_alive(self.transport)
        self._poller.adopt(self.transport)
        self._send: Send = sender(self.transport, self._poller)
        if self._tls is None:
            self._now_ready()

    def handshakeCompleted(self) -> None:
        self._poller.handshakes.note_upstream(self.transport)
        self._now_ready()

    def _now_ready(self) -> None:
        if not self._closing:
            self.opened = True
            self.ready.callback(self)

    # -- waiting

    def usable(self, now: float) -> bool:
        """Whether it still stands, as far as is known."""
        if self._closing:
            return False
        # Upstream closes what was idle for some time: after a while, ask the kernel before a request is lost to it.
        return now - self.idle_since < _TRUSTED_FOR or not readable(self.transport)

    def expired(self) -> None:
        """The deadline of a kept connection has passed; at work it does not count."""
        self.deadline = None
        self._owner.dropped(self)

    # -- sending

    def start(self, exchange: Exchange) -> None:
        """Send the request of C{exchange}. The connection must be idle."""
        self._exchange = exchange
        exchange.holder = self
        if exchange.sent is not None:
            exchange.sent.attempts += 1
        self._given = 0
        self._reader.begin(exchange.method == b"HEAD", exchange.upgrade)
        if exchange.whole is not None:
            self.send_first(exchange.whole)
            return
        assert exchange.body is not None
        upload = self._upload = Upload(self, exchange.body, exchange.length)
        if exchange.expects:
            upload.ask(exchange.head, self._owner.later)
        else:
            upload.start(exchange.head)

    def send_first(self, data: bytes) -> bool:
        """Send the first bytes of a request; C{False} if upstream has closed: then this connection is done with."""
        exchange, upload = self._exchange, self._upload
        if exchange is None:
            return False
        if upload is not None:
            exchange.whole = upload.whole
        if self._send(data) is not False:
            self._given = len(data)
            return True
        self._interrupt()
        self.abandon()
        return False

    def send(self, data: bytes) -> None:
        """Send more of a request."""
        self._given += len(data)
        if self._send(data) is False and self._upload is not None:
            # What upstream had to say before it closed may still be read: an early 413, or the end.
            self._upload.stop()

    def register(self, producer: IPushProducer) -> None:
        self.transport.registerProducer(producer, True)  # type: ignore[union-attr]

    def unregister(self) -> None:
        self.transport.unregisterProducer()  # type: ignore[union-attr]

    def upload_failed(self, reason: Failure) -> None:
        """The request cannot be completed: upstream must not take its first part for the whole."""
        self.cut(reason)

    # -- receiving

    def dataReceived(self, data: bytes) -> None:
        if self._exchange is None and self._body is None:
            # RFC 9112 section 9.2: nobody asked.
            self.abandon()
            return
        reader = self._reader
        try:
            reader.feed(data)
        except UpstreamProtocolError:
            self.cut(Failure())
            return
        if reader.size >= READ or self._reads_more:
            self._reads_more = adapt(self.transport, reader.size)
        if reader.interims:
            self._pass_interims()
        if self._body is not None:
            self._more(self._body)
        elif reader.headed and self._exchange is not None:
            self._answer(self._exchange)

    def _pass_interims(self) -> None:
        interims, self._reader.interims = self._reader.interims, []
        for status, reason, fields in interims:
            exchange = self._exchange
            if status == 100:
                # It is passed on by asking the client for its body, where that was what upstream was asked for.
                if self._upload is not None:
                    self._upload.proceed()
            elif exchange is not None and exchange.on_interim is not None:
                exchange.on_interim(status, reason, forwardable(fields))

    def _answer(self, exchange: Exchange) -> None:
        reader = self._reader
        self._exchange = None
        body: UpstreamBody | BytesBody | None = None
        if not reader.complete:
            body = self._body = UpstreamBody(reader.length, reader.content, self)
        elif not reader.bodiless:
            body = BytesBody(reader.content, reader.length)
        response = UpstreamResponse(
            exchange, reader.status, reader.reason, reader.version, reader.fields, reader.trailers, reader.length, body
        )
        if reader.switched:
            response.upgraded = self._switched = Switched(self, agreed(reader.fields))
        if reader.complete:
            # From here on the connection, and its reader, may be another exchange's.
            self._finish()
        elif self._upload is not None and (reader.status >= 300 or not reader.keep_alive):
            # RFC 9112 section 9.5: upstream has answered, and does not want the rest.
            self._upload.stop()
        exchange.succeed(response)
        running = self._body
        if running is not None and running is body and not running.started:
            self.pause()

    def _more(self, body: UpstreamBody) -> None:
        reader = self._reader
        if reader.content:
            body.received(reader.content)
        if reader.complete and self._body is body:
            self._body = None
            self._finish()
            body.ended(None)

    def _finish(self) -> None:
        """The response is complete; go back to the owner, or close."""
        upload, self._upload = self._upload, None
        reusable = self._reader.keep_alive and not self._closing
        if self.served == 0:
            self._noted()
        if upload is not None:
            reusable = reusable and upload.sent
            upload.stop()
        if reusable:
            self.served += 1
            if self._paused:
                # Its reader fell behind at the last piece; the next one starts with nothing to wait for.
                self.resume()
            self._owner.released(self)
        else:
            self.close()

    def _noted(self) -> None:
        """What the first response tells of the connection."""
        self.keeps_for = announced(self._reader.fields)
        if self._tls is not None:
            self._tls.remember(self.transport.getHandle())  # type: ignore[union-attr]

    def pause(self) -> None:
        self._paused = True
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def resume(self) -> None:
        self._paused = False
        self.transport.resumeProducing()  # type: ignore[union-attr]

    # -- ending

    def forget(self, exchange: Exchange) -> None:
        """The exchange was cancelled before its response head came."""
        self.abandon()

    def close(self) -> None:
        """Close in order; there is nothing more to read or write."""
        if not self._closing:
            self._closing = True
            self._close_in_order()

    def _close_in_order(self) -> None:
        self.transport.loseConnection()  # type: ignore[union-attr]
        if self._tls is not None:
            # TLS would wait for upstream's goodbye; ours is on its way, and that is enough.
            self.transport.transport.loseConnection()  # type: ignore[union-attr]

    def abandon(self) -> None:
        """Close at once, whatever is going on; only an upload notices."""
        self._exchange = self._body = None
        self._closing = True
        self._stop_upload()
        if self.transport is not None and not self._parted():
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def _parted(self) -> bool:
        """Whether it is a WebSocket that has got our goodbye, and closes in order."""
        switched, self._switched = self._switched, None
        words = None if switched is None or unwritten(self.transport) else switched.goodbye()
        if words is None:
            return False
        self._send(words)
        self._close_in_order()
        return True

    def cut(self, reason: Failure) -> None:
        """Close at once, and fail the exchange with C{reason}."""
        exchange, body = self._exchange, self._body
        self.abandon()
        if exchange is not None:
            exchange.fail(reason)
        elif body is not None:
            body.ended(reason)

    def _stop_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.stop()

    def _interrupt(self) -> None:
        """No response will come here; perhaps elsewhere."""
        exchange, self._exchange = self._exchange, None
        upload, self._upload = self._upload, None
        if upload is not None:
            if exchange is not None:
                exchange.begun = upload.begun
            if upload.begun:
                upload.stop()
            else:
                upload.detach()
        if exchange is not None:
            # What is still with us has not reached anybody.
            sent = self._given > unwritten(self.transport)
            self._owner.interrupted(self, exchange, sent, self._reader.touched)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._closing = True
        if self.opened:
            self._owner.lost(self)
        elif not self.ready.called:
            self.ready.errback(reason)
        body, self._body = self._body, None
        if body is None:
            self._interrupt()
        else:
            self._stop_upload()
            complete = reason.check(ConnectionDone) is not None and self._reader.end()
            body.ended(None if complete else Failure(UpstreamReset(cause="cut_short", progress="answered")))
        self._reader.release()


classImplements(Connection, IHandshakeListener)
