"""The response of a request over HTTP/1.1: written exactly as it is given, and framed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ...core.masking import mask
from ...core.responsehead import CHUNKED, NO_CONTENT, response_head, trailer_section
from ..basicrequest import BasicRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.persistence import Persistence
    from ...interfaces import IConnectedProtocol
    from ...message import Fields
    from ..contracts import IHeldResponse, IServerSite

_HOLD = 16 * 1024
"""Bytes of a response that wait for more of it before they are sent, at most until the end of the reactor's turn."""


class RequestChannel(Protocol):
    """
    The connection of HTTP/1.1, as its requests see it.

    @ivar send: writes to the client.
    @ivar persistence: knows whether the connection may be kept.
    """

    transport: Any
    client_host: str
    secure: bool
    send: Callable[[bytes], object]
    persistence: Persistence
    site: IServerSite

    def flush_later(self, request: IHeldResponse) -> None:
        """Send what C{request} holds back, at the latest at the end of the reactor's turn."""

    def response_ended(self, kept: bool) -> None:
        """
        All of a response is written.

        @param kept: its head has promised to keep the connection.
        """

    def break_off(self, framed: bool) -> None:
        """
        End the connection so that the client sees that something is missing.

        @param framed: the client sees it by the framing, if the connection closes in order.
        """

    def hand_over(self, protocol: IConnectedProtocol) -> None:
        """From now on the connection is another protocol's."""


class Http1Response(BasicRequest):
    """
    See L{BasicRequest}.

    @ivar held: the beginning of the response, until it is sent; C{None} before and afterwards.
    @ivar _keeps: the connection is kept after the response.
    """

    channel: RequestChannel | None
    held: list[bytes] | None = None
    _keeps = True

    # -- the response, exactly as given

    def write_head(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
        """
        Write the head: these fields, and what the framing needs.

        It leaves together with what follows in this turn of the reactor; L{registerProducer} and L{flush} send it.

        @param length: of the content, or C{UNKNOWN_LENGTH}, or C{None} where the message has none (HEAD, 204, 304).
        """
        self._exact = True
        self._begin(status, reason, fields, length)
        channel = self.channel
        if channel is not None:
            channel.flush_later(self)

    def write_whole(
        self, status: int, reason: bytes, fields: Fields, length: object, content: bytes, trailers: Fields = ()
    ) -> None:
        """L{write_head}, L{write} and L{finish} in one, for content that is here: it leaves with its head."""
        self._exact = True
        self._begin(status, reason, fields, length)
        channel, held = self.channel, self.held
        if channel is not None and held is not None and self._left == len(content):
            self._left, self.held = 0, None
            self.sentLength = len(content)
            channel.send(held[0] + content)
            self._leave(channel)
            return
        if content:
            self._put(content)
        self.finish(trailers)

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """Pass on a 1xx response; not to HTTP/1.0 clients, which do not know them, and not after the head."""
        channel = self.channel
        if channel is not None and not self.startedWriting and self.clientproto == b"HTTP/1.1":
            channel.send(response_head(status, reason, fields, None, head_only=False, http11=True, keep_alive=True)[0])

    def _begin(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
        if self.startedWriting:
            raise RuntimeError("the head has been written")
        channel = self.channel
        if channel is None:
            self.startedWriting = 1
            return
        http11 = self.clientproto == b"HTTP/1.1"
        head, self._left, self._keeps = response_head(
            status,
            reason,
            fields,
            length,
            head_only=self.method == b"HEAD",
            http11=http11,
            keep_alive=not self.site.closing and channel.persistence.may_keep(),
        )
        self.startedWriting = 1
        self.code = status
        self.held = [head]

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
        held = self.held
        if held is None:
            if data:
                channel.send(data)
            return
        held.append(data)
        if self._left == 0 or size > _HOLD or len(held) > 16:
            self.flush()

    def flush(self) -> None:
        """Send what is held back of the response's beginning."""
        held, self.held = self.held, None
        if held is not None and self.channel is not None:
            self.channel.send(held[0] if len(held) == 1 else b"".join(held))

    def _end(self, trailers: Fields) -> None:
        channel = self.channel
        if channel is None:
            return
        held, self.held = self.held, None
        tail = trailer_section(trailers) if self._left == CHUNKED else b""
        if held is not None:
            channel.send(b"".join(held) + tail)
        elif tail:
            channel.send(tail)
        self._leave(channel)

    def _leave(self, channel: RequestChannel) -> None:
        """All is written: the connection is another request's."""
        self.finished = 1
        self.channel = self.on_disconnect = None
        if self.producer is not None:
            self.unregisterProducer()
        channel.response_ended(self._keeps)
        if "notifications" in self.__dict__:
            for waiting in self.take_notifications():
                waiting.callback(None)

    def abort(self) -> None:
        """Break the connection off, so that a part is not taken for the whole."""
        channel = self.channel
        if channel is None:
            return
        self.flush()
        self.channel = self.on_disconnect = None
        channel.break_off(framed=self._left >= 0 or self._left == CHUNKED)
