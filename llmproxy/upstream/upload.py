"""The content of a request, on its way to a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import classImplements

from ..bodies import trailers_of
from ..errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..net.timers import Deadline

AT_HAND_LIMIT = 64 * 1024
"""Content up to this size is asked for before the head is sent: what is at hand goes out in one write."""


class BodyLengthMismatch(InternalError):
    """A request body did not keep to the length that its head had announced."""


class Sink(Protocol):
    """The connection that takes the content of a request: L{llmproxy.upstream.connection.Connection} is one."""

    def send_first(self, data: bytes, /) -> bool:
        """Send the first bytes; C{False} if upstream has closed."""

    def send(self, data: bytes, /) -> None:
        """Send more."""

    def register(self, producer: IPushProducer, /) -> None:
        """Pause C{producer} while what was sent has not left."""

    def unregister(self) -> None:
        """Nothing more comes from the producer."""

    def upload_failed(self, reason: Failure, /) -> None:
        """The request cannot be completed."""


class Upload:
    """
    Consumer of a request body, producer of its connection: backpressure passes through.

    @ivar whole: head and content as they were sent, if all of it was at hand at once; to send them again.
    @ivar begun: the body has been started.
    @ivar asks: upstream was asked whether it wants the body, RFC 9110 section 10.1.1; L{proceed} says that it does.
    @ivar sent: all of the content has been handed to the transport.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_corked",
        "_deadline",
        "_ended",
        "_left",
        "asks",
        "begun",
        "sent",
        "whole",
    )

    def __init__(self, connection: Sink, body: IBodyProducer, length: int | object) -> None:
        self._connection: Sink | None = connection
        self._body = body
        self._chunked = length is UNKNOWN_LENGTH
        self._left: int = 0 if self._chunked else length  # type: ignore[assignment]
        self._corked: list[bytes] | None = None
        self._ended = False
        self._deadline: Deadline | None = None
        self.asks = False
        self.begun = False
        self.sent = False
        self.whole: bytes | None = None

    def start(self, head: bytes) -> None:
        """Send C{head} and whatever is at hand, then the rest as it comes."""
        connection = self._connection
        if not self._chunked and self._left <= AT_HAND_LIMIT:
            self._corked = [head]
            self._produce()
            self._uncork()
        elif connection is not None and connection.send_first(head):
            connection.register(self)
            self._produce()

    def ask(self, head: bytes, later: Callable[[Callable[[], None]], Deadline | None]) -> None:
        """
        Send C{head}, and the body once upstream asks for it, or has said nothing for so long.

        @param later: calls what it is given, after a while.
        """
        connection = self._connection
        self.asks = True
        if connection is not None and connection.send_first(head):
            self._deadline = later(self.proceed)

    def proceed(self) -> None:
        """Upstream wants the body, or does not know that it could say so."""
        connection = self._connection
        if connection is not None and self.asks:
            self._stop_waiting()
            connection.register(self)
            self._produce()

    def _stop_waiting(self) -> None:
        self.asks = False
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.end()

    def _produce(self) -> None:
        self.begun = True
        try:
            producing = self._body.startProducing(self)
        except Exception:
            self._failed(Failure())
        else:
            producing.addCallbacks(self._complete, self._failed)

    def _uncork(self) -> None:
        pieces, self._corked = self._corked, None
        connection = self._connection
        if connection is None or pieces is None:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._ended:
            self._connection = None
            self.whole = data
            connection.send_first(data)
        elif connection.send_first(data):
            connection.register(self)

    def stop(self) -> None:
        """Take nothing more, and tell the body so unless it has ended."""
        self._stop_waiting()
        connection, self._connection = self._connection, None
        self._corked = None
        if connection is not None:
            connection.unregister()
        if not self._ended and not self.sent:
            self._ended = True
            self._body.stopProducing()

    def detach(self) -> None:
        """Nothing was begun, and nothing will be here."""
        self._stop_waiting()
        self._connection = None

    # -- called by the body

    def write(self, data: bytes) -> None:
        connection = self._connection
        if connection is None or not data:
            return
        if self._chunked:
            connection.send(b"%x\r\n%b\r\n" % (len(data), data))
            return
        self._left -= len(data)
        if self._left <= 0:
            if self._left < 0:
                self._mismatch("more")
                return
            self.sent = True
        if self._corked is not None:
            self._corked.append(data)
        else:
            connection.send(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _complete(self, result: object) -> None:
        self._ended = True
        if self._left > 0:
            self._mismatch("less")
            return
        self.sent = True
        connection = self._connection
        if connection is None or self._corked is not None:
            return
        self._connection = None
        if self._chunked:
            connection.send(_last_chunk(trailers_of(self._body)))
        connection.unregister()

    def _failed(self, reason: Failure) -> None:
        self._ended = True
        connection, self._connection = self._connection, None
        self._corked = None
        if connection is not None:
            connection.unregister()
            connection.upload_failed(reason)

    def _mismatch(self, which: str) -> None:
        connection = self._connection
        self.stop()
        if connection is not None:
            connection.upload_failed(Failure(BodyLengthMismatch(f"the request body has {which} bytes than announced")))

    # -- called by the transport

    def pauseProducing(self) -> None:
        if not self._ended:
            self._body.pauseProducing()

    def resumeProducing(self) -> None:
        if not self._ended:
            self._body.resumeProducing()

    def stopProducing(self) -> None:
        """The transport is gone; the connection hears of it too, and stops this."""


classImplements(Upload, IConsumer, IPushProducer)


def _last_chunk(trailers: object) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % pair for pair in trailers or ()])  # type: ignore[attr-defined]
    return b"0\r\n" + lines + b"\r\n"
