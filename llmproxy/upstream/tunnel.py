"""A way through an HTTP proxy to somebody else: C{CONNECT}, RFC 9110 section 9.3.6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..errors import UpstreamUnreachable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocolFactory

    from .proxies import Proxy

_LIMIT = 16 * 1024
"""Bytes of the proxy's answer; squid's own limit for a response head is 64 KiB, its answers here are below 1 KiB."""


class Tunnel(protocol.Protocol):
    """
    Asks for a tunnel, and hands the connection over to a protocol of C{factory}.

    @ivar through: fires with that protocol; fails with L{UpstreamUnreachable} if the proxy refuses.
    """

    def __init__(self, host: str, port: int, proxy: Proxy, factory: IProtocolFactory) -> None:
        self._authority = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode("ascii")
        self._proxy = proxy
        self._factory = factory
        self._received = b""
        self.through: Deferred[Any] = Deferred(lambda _: self._abort())

    def connectionMade(self) -> None:
        lines = [b"CONNECT %b HTTP/1.1" % self._authority, b"Host: " + self._authority]
        if self._proxy.authorization is not None:
            lines.append(b"Proxy-Authorization: " + self._proxy.authorization)
        self.transport.write(b"\r\n".join([*lines, b"", b""]))  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        if self.through.called:
            return
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            if len(self._received) > _LIMIT:
                self._refuse("it did not answer CONNECT with HTTP")
        elif not _established(head):
            self._refuse("it did not open a tunnel")
        elif rest:
            # TLS begins with the client: a peer that speaks first is not the one we asked for.
            self._refuse("it sent bytes before the tunnel was used")
        else:
            self._hand_over()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if not self.through.called:
            self.through.errback(Failure(UpstreamUnreachable("it closed before it opened a tunnel", cause="proxy")))

    def _hand_over(self) -> None:
        transport: Any = self.transport
        inner = self._factory.buildProtocol(transport.getPeer())
        transport.protocol = inner
        assert inner is not None
        inner.makeConnection(transport)
        self.through.callback(inner)

    def _refuse(self, why: str) -> None:
        self._abort()
        self.through.errback(Failure(UpstreamUnreachable(why, cause="proxy")))

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]


def _established(head: bytes) -> bool:
    version, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    return version in (b"HTTP/1.1", b"HTTP/1.0") and rest[:1] == b"2" and rest[:3].isdigit() and rest[3:4] in b" "
