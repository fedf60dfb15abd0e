"""The response of a request over HTTP/2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from h2.exceptions import NoSuchStreamError, ProtocolError, StreamIDTooLowError
from twisted.internet.interfaces import IPushProducer
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.server import Request
from zope.interface import implementer

from ..core.fields import LOWER

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..message import Field, Fields

_QUEUE = 64 * 1024
"""Bytes of a response that may wait for the connection, or for the other streams on it, before its source is paused."""

_OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})


@implementer(IPushProducer)
class Http2Response(Request):
    """
    twisted.web's way to answer, and the second one of L{llmproxy.web.request.ProxyRequest}: L{write_head}, L{write},
    L{finish}, L{abort}, L{write_interim}.
    """

    on_disconnect: Callable[[Failure], Any] | None = None
    channel: Any = None
    content: Any = None
    _exact = False
    _length: Any = UNKNOWN_LENGTH
    _queued = 0
    _blocked = _full = False
    _flowing = True

    def __init__(self, channel: Any, queued: bool = False) -> None:
        super().__init__(channel, queued)
        self._connection: Any = channel._conn
        self._stream: int = channel.streamID

    # -- the response, exactly as given

    def write_head(self, status: int, reason: bytes, fields: Fields, length: Any) -> None:
        """
        Write the head, exactly these fields but for those of a connection.

        @param length: of the content; L{UNKNOWN_LENGTH}, or C{None} where the message has none.
        """
        self._exact, self._length = True, length
        self.startedWriting, self.code = 1, status
        if self.channel is None:
            return
        section = _section(fields)
        if isinstance(length, int) and status != 204 and all(name != b"content-length" for name, _ in section):
            section.append((b"content-length", b"%d" % length))
        try:
            self._connection.writeHeaders(b"", b"%d" % status, b"", section, self._stream)
        except (NoSuchStreamError, StreamIDTooLowError):
            # What the client sent has ended it.
            self.abort()
        except ProtocolError:
            self._log.failure("a response head is none for HTTP/2")
            self.abort()

    def write_whole(
        self, status: int, reason: bytes, fields: Fields, length: Any, content: bytes, trailers: Fields = ()
    ) -> None:
        """L{write_head}, L{write} and L{finish} in one."""
        self.write_head(status, reason, fields, length)
        if content:
            self.write(content)
        self.finish(trailers)

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """Pass on a 1xx response."""
        if self.channel is not None and not self.startedWriting:
            try:
                self._connection.interim(self._stream, status, _section(fields))
            except ProtocolError:
                self._log.debug("an interim response is none for HTTP/2")

    def write(self, data: bytes) -> None:
        if not self._exact:
            super().write(data)
            return
        if self.channel is None or not data:
            return
        self.sentLength += len(data)
        self._queued += len(data)
        self.channel.write(data)
        self._full = self._queued > _QUEUE
        self._regulate()

    def sent(self, size: int) -> None:
        """So much of what was written has left."""
        self._queued -= size
        self._full = self._queued > _QUEUE
        self._regulate()

    def finish(self, trailers: Sequence[Field] = ()) -> None:
        """The message is complete; one that is shorter than its head said is broken off instead."""
        if not self._exact:
            super().finish()
            return
        if self.channel is None or self.finished:
            return
        if isinstance(self._length, int) and self.sentLength != self._length:
            self.abort()
            return
        if trailers:
            self._connection.trail(self._stream, _section(trailers))
        self.on_disconnect = None
        super().finish()

    def abort(self) -> None:
        """Reset the stream, so that nobody takes a part for the whole."""
        channel, self.channel = self.channel, None
        self.on_disconnect = None
        if channel is not None:
            channel.abortConnection()

    def processingFailed(self, reason: Failure) -> Failure:
        if self.startedWriting or self.channel is None:
            self._log.failure("a resource failed within its response", reason)
            self.abort()
            return reason
        failed: Failure = super().processingFailed(reason)
        return failed

    # -- producers: paused by the client's window, and by what waits here

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if not self._exact:
            super().registerProducer(producer, streaming)
        elif self.channel is not None:
            self.producer, self._flowing = producer, True
            self.channel.registerProducer(self, True)
            self._regulate()

    def unregisterProducer(self) -> None:
        self.producer = None
        if self.channel is not None:
            self.channel.unregisterProducer()

    def pauseProducing(self) -> None:
        self._blocked = True
        self._regulate()

    def resumeProducing(self) -> None:
        self._blocked = False
        self._regulate()

    def stopProducing(self) -> None:
        """L{connectionLost} follows."""

    def _regulate(self) -> None:
        flowing = not (self._blocked or self._full)
        if self.producer is None or flowing is self._flowing or not self._exact:
            return
        self._flowing = flowing
        if flowing:
            self.producer.resumeProducing()
        else:
            self.producer.pauseProducing()


def _section(fields: Fields) -> list[Field]:
    """RFC 9113 section 8.2: names in lower case, nothing of a connection."""
    lower = LOWER
    return [
        (name, value) for name, value in ((lower[pair[0]], pair[1]) for pair in fields) if name not in _OF_CONNECTIONS
    ]
