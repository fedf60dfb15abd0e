"""The response of a request over HTTP/2: content that waits for its turn and for the client's windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure

from ...core.fields import LOWER
from ...core.http2.frames import ErrorCode
from ...core.http2.sections import OF_CONNECTIONS
from ...core.responsehead import CHUNKED, NO_CONTENT
from ..basicrequest import BasicRequest
from ..pullproducer import PullAdapter

if TYPE_CHECKING:
    from ...core.http2.events import StateMachine
    from ...message import Field, Fields
    from ..contracts import IHeldResponse, IServerSite

_QUEUE = 64 * 1024
"""Bytes of a response that may wait for the connection, or for the other streams on it, before its source is paused."""


class ISettled(Protocol):
    """A request whose body may have been read."""

    def settle(self) -> None:
        """Let the client send more, or do not."""


class StreamChannel(Protocol):
    """
    The connection of HTTP/2, as its requests see it.

    @ivar machine: knows the windows, and makes frames.
    """

    transport: Any
    client_host: str
    secure: bool
    site: IServerSite
    machine: StateMachine

    def ready(self, stream: int) -> None:
        """C{stream} has something to send."""

    def flush_soon(self) -> None:
        """Send what was given to the machine, at the end of what is going on."""

    def flush_later(self, request: IHeldResponse) -> None:
        """Send what C{request} holds back, at the latest at the end of the reactor's turn."""

    def settle(self, request: ISettled) -> None:
        """Read more of a body or do not, once all that was read is handed out."""

    def acknowledge(self, size: int, stream: int) -> None:
        """C{size} of what came on the stream was taken."""

    def interim(self, stream: int, section: list[Field]) -> None:
        """Send a 1xx response."""

    def over(self, stream: int, whole: bool) -> None:
        """
        All of a response is sent.

        @param whole: all of its request has come.
        """

    def reset(self, stream: int, code: int) -> None:
        """End a stream before its time."""


class Http2Response(BasicRequest):
    """
    See L{BasicRequest}.

    @ivar stream: its number.
    @ivar whole: all of the request has come.
    @ivar _head: the head, until something follows: where nothing does, it is the end of the stream.
    @ivar _tail: trailers, once the response is complete.
    @ivar _looked: bytes that had been sent at the last look whether the client takes anything.
    """

    channel: StreamChannel | None
    stream: int
    whole: bool
    _head: list[Field] | None = None
    _tail: list[Field] | None = None
    _waiting = 0
    _flowing = True
    _looked = -1
    _stalls = 0

    def __init__(self) -> None:
        self._queue: list[bytes | memoryview] = []

    # -- the response, exactly as given

    def write_head(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
        """
        Write the head, exactly these fields but for those of a connection.

        @param length: of the content; C{UNKNOWN_LENGTH}, or C{None} where the message has none.
        """
        self._exact = True
        self._begin(status, reason, fields, length)
        if self.channel is not None:
            self.channel.flush_later(self)

    def write_whole(
        self, status: int, reason: bytes, fields: Fields, length: object, content: bytes, trailers: Fields = ()
    ) -> None:
        """L{write_head}, L{write} and L{finish} in one: they leave together."""
        self._exact = True
        self._begin(status, reason, fields, length)
        if content:
            self._hold(content)
        self.finish(trailers)

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """Pass on a 1xx response."""
        if self.channel is not None and not self.startedWriting and status != 101:
            self.channel.interim(self.stream, [(b":status", b"%d" % status), *_section(fields)])

    def _begin(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
        if self.startedWriting:
            raise RuntimeError("the head has been written")
        self.startedWriting, self.code = 1, status
        section = _section(fields)
        if any(name[:1] == b":" for name, _ in section):
            self._log.failure("a response head is none for HTTP/2", Failure(ValueError("pseudo-field")))
            self.abort()
            return
        self._left = self._framed(status, section, length)
        self._head = [(b":status", b"%d" % status), *section]

    def _framed(self, status: int, section: list[Field], length: object) -> int:
        """What of the content is to come, and the length in the head if it is known."""
        if length is None or status in (204, 304):
            return NO_CONTENT
        announced = next((value for name, value in section if name == b"content-length"), None)
        if isinstance(length, int) and announced is None:
            section.append((b"content-length", b"%d" % length))
        elif announced is not None and announced.isdigit():
            length = int(announced)
        if self.method == b"HEAD":
            return NO_CONTENT
        return length if isinstance(length, int) else CHUNKED

    def _put(self, data: bytes) -> None:
        if self._hold(data) and self.channel is not None:
            self.channel.ready(self.stream)
            self._regulate()

    def _hold(self, data: bytes) -> bool:
        """Keep a piece of the content until it can be sent; false if there is nothing to send."""
        if self.channel is None or not data or self._left == NO_CONTENT:
            return False
        if self._left >= 0:
            if len(data) > self._left:
                self._log.error("a response is longer than its Content-Length")
                self.abort()
                return False
            self._left -= len(data)
        self.sentLength += len(data)
        self._waiting += len(data)
        self._queue.append(data)
        return True

    def _end(self, trailers: Fields) -> None:
        channel = self.channel
        if channel is None:
            return
        self._tail = _section(trailers)
        self.finished = 1
        self.on_disconnect = None
        if self.producer is not None:
            self.unregisterProducer()
        channel.ready(self.stream)
        for waiting in self.take_notifications():
            waiting.callback(None)

    def flush(self) -> None:
        """Send the head, if nothing has followed yet."""
        if self._head is not None and self.channel is not None and not self._queue:
            self._send_head(False)
            self.channel.flush_soon()

    def abort(self) -> None:
        """Reset the stream, so that a part is not taken for the whole."""
        channel, self.channel = self.channel, None
        self.on_disconnect = None
        if channel is not None:
            self._queue.clear()
            # RFC 9113 section 7: C{NO_ERROR} would mean that what has come is whole.
            channel.reset(self.stream, ErrorCode.INTERNAL_ERROR)
            for waiting in self.take_notifications():
                waiting.errback(Failure(ConnectionAborted()))

    def release(self) -> None:
        """The response is complete, and sent."""
        raise NotImplementedError

    # -- for the connection

    def send_one(self) -> tuple[int, bool]:
        """
        Send what comes next, if the client's windows let it: not more than one frame of content.

        @return: bytes of content that were sent, and whether there is more that may be.
        """
        channel, tail, queue, size = self.channel, self._tail, self._queue, 0
        if channel is None:
            return 0, False
        machine = channel.machine
        # Where neither content nor trailers follow, head or content are the end.
        ended = tail is not None and not queue and not tail
        if self._head is not None:
            self._send_head(ended)
        elif ended:
            machine.send_data(self.stream, b"", True)
        if queue:
            piece = self._take(machine.local_flow_control_window(self.stream))
            size = len(piece)
            if size:
                machine.send_data(self.stream, piece, tail is not None and not (queue or tail))
        if queue:
            self._regulate()
            return size, size > 0
        if tail is None:
            self._regulate()
            return size, False
        if tail:
            machine.send_headers(self.stream, tail, True)
        self.channel = None
        channel.over(self.stream, self.whole)
        self.release()
        return size, False

    def _take(self, room: int) -> bytes | memoryview:
        queue = self._queue
        piece = queue[0]
        if room <= 0:
            return b""
        if len(piece) > room:
            # A view: what is left would be copied again for each frame.
            view = memoryview(piece)
            queue[0], piece = view[room:], view[:room]
        else:
            del queue[0]
        self._waiting -= len(piece)
        return piece

    def window_opened(self) -> None:
        """The client may take more."""
        if self._queue and self.channel is not None:
            self.channel.ready(self.stream)
        else:
            self._regulate()

    def stalled(self) -> bool:
        """Whether the client has taken nothing of what waits since the last look, and the one before."""
        sent = self.sentLength - self._waiting
        before, self._looked = self._looked, sent
        self._stalls = self._stalls + 1 if self._queue and before == sent else 0
        return self._stalls > 1

    def give_up(self) -> None:
        """The client does not take its answer."""
        channel = self.channel
        if channel is not None:
            channel.reset(self.stream, ErrorCode.CANCEL)
            self.connectionLost(Failure(ConnectionAborted()))

    # -- producers: paused by the client's window, and by what waits here

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise ValueError(f"registering producer {producer} before {self.producer} was unregistered")
        if self.channel is None:
            producer.stopProducing()
            return
        self.flush()
        self.streamingProducer = streaming
        self.producer = producer if streaming else PullAdapter(self.site.reactor, producer)
        self._flowing = True
        self._regulate()

    def unregisterProducer(self) -> None:
        producer, self.producer = self.producer, None
        if isinstance(producer, PullAdapter):
            producer.release()

    def _regulate(self) -> None:
        if self.producer is None or self.channel is None:
            return
        flowing = self._waiting <= _QUEUE and self.channel.machine.local_flow_control_window(self.stream) > 0
        if flowing is self._flowing:
            return
        self._flowing = flowing
        if flowing:
            self.producer.resumeProducing()
        else:
            self.producer.pauseProducing()

    def _send_head(self, ended: bool) -> None:
        head, self._head = self._head, None
        if head is not None and self.channel is not None:
            self.channel.machine.send_headers(self.stream, head, ended)


def _section(fields: Fields) -> list[Field]:
    """RFC 9113 section 8.2: names in lower case, nothing of a connection."""
    lower = LOWER
    return [
        (name, value) for name, value in ((lower[pair[0]], pair[1]) for pair in fields) if name not in OF_CONNECTIONS
    ]
