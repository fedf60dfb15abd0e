"""Tests for L{llmproxy.upstream.tunnel}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import UpstreamUnreachable
from llmproxy.upstream.proxies import Proxy
from llmproxy.upstream.tunnel import Tunnel

from ..tables import row
from .wire import Socket

ESTABLISHED = [
    b"HTTP/1.1 200 Connection established\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
    b"HTTP/1.1 204\r\n\r\n",
]

REFUSED = [
    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://else.example/\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n\r\n",
    b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nearly",
    b"x" * 20_000,
]


class TunnelTests(SynchronousTestCase):
    def opened(self, host: str = "up.example", authorization: bytes | None = None) -> tuple[Tunnel, Socket]:
        factory = Factory.forProtocol(Protocol)
        tunnel = Tunnel(host, 443, Proxy("proxy", 3128, authorization), factory)
        return tunnel, Socket(Clock(), tunnel)

    def test_asks(self) -> None:
        """RFC 9110 section 9.3.6: the proxy is asked for the authority, in the target and in C{Host}."""
        _, socket = self.opened()
        self.assertEqual(socket.heard(), b"CONNECT up.example:443 HTTP/1.1\r\nHost: up.example:443\r\n\r\n")
        _, socket = self.opened("2001:db8::1", b"Basic eDp5")
        self.assertEqual(
            socket.heard(),
            b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
        )

    def test_established(self) -> None:
        """Any 2xx opens the tunnel, in one piece or in many; from then on the bytes are the protocol's."""
        for answer in ESTABLISHED:
            for pieces in ([answer], [answer[at : at + 1] for at in range(len(answer))]):
                tunnel, socket = self.opened()
                for piece in pieces:
                    with row(answer, pieces, piece):
                        self.assertNoResult(tunnel.through)
                    socket.say(piece)
                inner: Any = self.successResultOf(tunnel.through)
                self.assertIs(inner.transport, socket)
                self.assertIs(socket.protocol, inner)

    def test_refused(self) -> None:
        """Everything else does not, and closes the connection: it may be anyone's."""
        for answer in REFUSED:
            tunnel, socket = self.opened()
            socket.say(answer)
            self.failureResultOf(tunnel.through, UpstreamUnreachable)
            self.assertTrue(socket.aborted, answer[:40])
            socket.say(b"more")

    def test_closed(self) -> None:
        """A proxy that closes has not opened a tunnel."""
        tunnel, socket = self.opened()
        socket.say(b"HTTP/1.1 200")
        socket.hang_up()
        self.failureResultOf(tunnel.through, UpstreamUnreachable)

    def test_cancelled(self) -> None:
        """Who leaves meanwhile closes the connection to the proxy."""
        tunnel, socket = self.opened()
        tunnel.through.cancel()
        self.failureResultOf(tunnel.through, CancelledError)
        self.assertTrue(socket.aborted)
        socket.end(ConnectionError())
