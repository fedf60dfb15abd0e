"""
The contract between a server request and the rest of the proxy.

HTTP/1 (L{llmproxy.web.http1.request.ProxyRequest}), HTTP/2 (L{llmproxy.web.http2.request.Http2Request}) and the face of
a stock site (L{llmproxy.web.api.stocksite.Downstream}) declare it; L{llmproxy.web.api.relay.Relay} relies on nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..message import Field, Fields


class IServerChannel(Protocol):
    """
    One client's connection, as its site and those who take it over see it: HTTP/1, HTTP/2, and what follows an upgrade.
    """

    def dataReceived(self, data: bytes) -> None:
        """Bytes of the client."""

    def readConnectionLost(self) -> None:
        """The client sends no more; it may still wait for its answer."""

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone, and all that is pending on it ends."""

    def close_if_idle(self) -> None:
        """Close a connection that waits for its next request; others close after what they are doing."""


class IConnectedProtocol(IServerChannel, Protocol):
    """
    What a connection can be handed over to, with all that it has read and not used.

    @ivar factory: the site of the connection, with its limits and its wheel; set before C{makeConnection}.
    """

    factory: Any

    def makeConnection(self, transport: Any) -> None:
        """Begin; the transport has no producer."""


class IDownstream(Protocol):
    """
    The client's side of one exchange: a request, and the one way to answer it with nothing added but framing.

    The calls come in this order: any number of C{write_interim}; C{write_head}, any number of C{write}, C{finish}, or
    all three as C{write_whole}; or C{write_head} with 101 and C{take_over}. C{abort} may come at any time, and ends it.
    After the client has left, all of them do nothing.

    @ivar uri: the target in origin form, with its query, as it came.
    @ivar clientproto: C{b"HTTP/1.0"}, C{b"HTTP/1.1"} or C{b"HTTP/2"}.
    @ivar raw_fields: the header section in wire order.
    @ivar body: C{None} where there is none; else it has not been started.
    @ivar client_host: the address of the client, without its port: the peer's, or the one that trusted proxies name;
        C{""} on a Unix socket.
    @ivar peer_host: the address of the peer, likewise.
    @ivar secure: the connection is TLS.
    @ivar upgrade: it has an C{Upgrade} field, and its connection can be taken over.
    @ivar on_disconnect: called once, with a C{Failure} of L{llmproxy.errors.ClientLeft}, if the client leaves before
        C{finish} or C{abort}.
    """

    method: bytes
    uri: bytes
    clientproto: bytes
    raw_fields: list[Field]
    client_host: str
    peer_host: str
    secure: bool
    upgrade: bool
    on_disconnect: Callable[[Failure], Any] | None

    @property
    def body(self) -> IBodyProducer | None:
        """See above."""

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        """Pass on a 1xx response (never 100 or 101), where the client knows such."""

    def write_head(self, status: int, reason: bytes, fields: Fields, length: object) -> None:
        """
        Write the head: these fields, and what the framing needs. It may wait for what follows in the same turn of the
        reactor.

        @param length: bytes of the content; C{UNKNOWN_LENGTH}; or C{None} where the message has none (HEAD, 204, 304).
        """

    def write_whole(
        self, status: int, reason: bytes, fields: Fields, length: object, content: bytes, trailers: Fields = ()
    ) -> None:
        """C{write_head}, C{write} and C{finish} in one, for content that is here."""

    def write(self, data: bytes) -> None:
        """A piece of the content."""

    def finish(self, trailers: Fields = ()) -> None:
        """
        The response is complete. One that is shorter than its head said is aborted instead.

        @param trailers: sent where the framing has a place for them.
        """

    def abort(self) -> None:
        """Break the response off, so that a part is not taken for the whole."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """What follows comes from C{producer}, which is paused while the client takes nothing; the head is sent."""

    def unregisterProducer(self) -> None:
        """The producer has no more; does nothing where there is none."""

    def take_over(self, protocol: IConnectedProtocol) -> None:
        """
        Give the connection to C{protocol}, after C{write_head} with 101; there is no C{finish}.

        @raise RuntimeError: C{upgrade} is false.
        """
