"""One request on our channel: twisted.web's, with its body still on the way and its response written as it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.masking import mask
from ...core.responsehead import CHUNKED, NO_CONTENT, response_head, trailer_section
from ..basicrequest import BasicRequest
from ..pullproducer import Pulling

if TYPE_CHECKING:
    from ...core.http11 import Head
    from ...interfaces import IConnectedProtocol
    from ...message import Field, Fields
    from .channel import LlhttpChannel

_HOLD = 16 * 1024
"""Bytes of a response that wait for more of it before they are sent, at most until the end of the reactor's turn."""


class ProxyRequest(BasicRequest):
    """
    A request of HTTP/1.1.

    @ivar upgrade: it has an C{Upgrade} field; L{take_over} is for what comes of it.
    """

    _held: list[bytes] | None = None

    def __init__(self, channel: LlhttpChannel, head: Head) -> None:
        # Twisted's own __init__ makes header objects, dictionaries and lists that nobody may need.
        self.channel = channel
        self.transport = channel.transport
        self.site = channel.site
        self.method = head.method
        self.uri = head.target
        self.clientproto = head.version
        self.raw_fields: list[Field] = head.fields
        self.upgrade = head.upgrade
        trusted = self.site.trusted_proxies
        self.client_host: str = (
            channel.client_host if trusted is None else trusted.client_of(channel.client_host, head.fields)
        )
        self.peer_host: str = channel.client_host
        self.secure: bool = channel.secure

    # -- the response, exactly as given

    def write_head(self, status: int, reason: bytes, fields: Fields, length: Any) -> None:
        """
        Write the head: these fields, and what the framing needs.

        It leaves together with what follows in this turn of the reactor; L{registerProducer} and L{flush} send it.

        @param length: of the content, or L{UNKNOWN_LENGTH}, or C{None} where the message has none (HEAD, 204, 304).
        """
        self._exact = True
        self._begin(status, reason, fields, length)
        channel = self.channel
        if channel is not None:
            channel.flush_later(self)

    def write_whole(
        self, status: int, reason: bytes, fields: Fields, length: Any, content: bytes, trailers: Fields = ()
    ) -> None:
        """L{write_head}, L{write} and L{finish} in one, for content that is here: it leaves with its head."""
        self._exact = True
        self._begin(status, reason, fields, length)
        channel, held = self.channel, self._held
        if channel is not None and held is not None and self._left == len(content):
            self._left, self._held = 0, None
            self.sentLength = len(content)
            channel.send(held[0] + content)
            self._leave(channel)
            return
        if content:
            self._put(content)
        self.finish(trailers)

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """Pass on a 1xx response; not to HTTP/1.0 clients, who do not know them, and not after the head."""
        channel = self.channel
        if channel is not None and not self.startedWriting and self.clientproto == b"HTTP/1.1":
            channel.send(response_head(status, reason, fields, None, head_only=False, http11=True, keep_alive=True)[0])

    def _put(self, data: bytes) -> None:
        channel = self.channel
        if channel is None:
            return
        left, size = self._left, len(data)
        if left >= 0:
            if size > left:
                path = mask(self.uri.partition(b"?")[0].decode("latin-1"))
                self._log.error("a response for {path} is longer than its Content-Length", path=path)
                self.abort()
                return
            self._left = left - size
        elif left == CHUNKED:
            if size:
                data = b"%x\r\n%b\r\n" % (size, data)
        elif left == NO_CONTENT:
            data = b""
        self.sentLength += size
        held = self._held
        if held is None:
            if data:
                channel.send(data)
            return
        held.append(data)
        if self._left == 0 or size > _HOLD or len(held) > 16:
            self.flush()

    def flush(self) -> None:
        """Send what is held back of the response's beginning."""
        held, self._held = self._held, None
        if held is not None and self.channel is not None:
            self.channel.send(held[0] if len(held) == 1 else b"".join(held))

    def _end(self, trailers: Fields) -> None:
        channel = self.channel
        if channel is None:
            return
        held, self._held = self._held, None
        tail = trailer_section(trailers) if self._left == CHUNKED else b""
        if held is not None:
            channel.send(b"".join(held) + tail)
        elif tail:
            channel.send(tail)
        self._leave(channel)

    def _leave(self, channel: LlhttpChannel) -> None:
        """All is written: the connection is another request's."""
        self.finished = 1
        self.channel = self.on_disconnect = None
        if self.producer is not None:
            self.unregisterProducer()
        channel.response_ended(self)
        for waiting in self._take_notifications():
            waiting.callback(None)

    def abort(self) -> None:
        """Break the connection off, so that nobody takes a part for the whole."""
        channel = self.channel
        if channel is None:
            return
        self.flush()
        self.channel = self.on_disconnect = None
        channel.break_off(framed=self._left >= 0 or self._left == CHUNKED)

    def take_over(self, protocol: IConnectedProtocol) -> None:
        """
        Give the connection to C{protocol}, with the bytes that followed the request.

        For upgrades, after C{write_head(101, ...)}: there is no L{finish}.
        """
        self.flush()
        channel = self.channel
        self.finished = 1
        self.channel = self.on_disconnect = None
        channel.hand_over(protocol)

    # -- twisted.web's way to answer, put into ours

    def _begin(self, status: int, reason: bytes, fields: Fields, length: Any) -> None:
        if self.startedWriting:
            raise RuntimeError("the head has been written")
        channel = self.channel
        if channel is None:
            self.startedWriting = 1
            return
        http11 = self.clientproto == b"HTTP/1.1"
        head, self._left, channel.keep_alive = response_head(
            status,
            reason,
            fields,
            length,
            head_only=self.method == b"HEAD",
            http11=http11,
            keep_alive=channel.may_keep_alive(),
        )
        self.startedWriting = 1
        self.code = status
        self._held = [head]

    # -- producers

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise ValueError(f"registering producer {producer} before {self.producer} was unregistered")
        channel = self.channel
        if channel is None:
            producer.stopProducing()
            return
        self.flush()
        self.streamingProducer = streaming
        self.producer = producer if streaming else Pulling(self.site.reactor, producer)
        if channel.congested:
            self.producer.pauseProducing()

    def unregisterProducer(self) -> None:
        producer, self.producer = self.producer, None
        if isinstance(producer, Pulling):
            producer.release()
