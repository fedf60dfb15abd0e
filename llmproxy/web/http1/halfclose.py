"""
The end of a client's side of a plain connection: the client has left, or waits for its answer.

TCP tells both in the same way (FIN), until something reaches the client's system: one that has closed its socket
answers with a reset. RFC 9112 section 9.6 allows to wait, so a client that does is not cut off, and it is sent nothing
but its answer:

 - Before the head of a response its first byte goes ahead. All responses begin with it, so it says nothing yet.
 - Within a response there is no such byte: a digit of the next chunk's size alone can be read as the last chunk
   (Python's C{http.client} reads C{0} and the end of the connection as a complete answer). The next bytes of the
   response find out, and so does the system: keep-alive probes carry no data, and the system of a client that has left
   resets them once it has forgotten the connection (60 s on Linux).

Over TLS there is nothing to find out: a client that says C{close_notify} has left.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...net.timers import Deadline
    from .channel import LlhttpChannel

_BEGINNING = b"H"
"""Of C{HTTP/1.1 200 OK} and of every other response."""

_FIRST_LOOK = 0.1
_LONGEST_WAIT = 10.0
"""Seconds between two looks at the socket; each one waits twice as long as the one before, up to this."""

_KEEP_ALIVE = 10
"""Seconds between two keep-alive probes."""

_PROBING = tuple(getattr(socket, name) for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL") if hasattr(socket, name))


class HalfCloseProbe:
    """
    Watches a connection whose client has closed its side, and resets it once the client turns out to be gone.

    Twisted does not watch it: it neither reads nor has anything to write.

    @param started: the head of the response is on its way.
    """

    def __init__(self, channel: LlhttpChannel, started: bool) -> None:
        self._wheel = channel.site.wheel
        self._channel = channel
        self._transport: Any = channel.transport
        self._send = channel.send
        self._wait = _FIRST_LOOK
        for option in _PROBING:
            self._transport.getHandle().setsockopt(socket.IPPROTO_TCP, option, _KEEP_ALIVE)
        if not started:
            self._send(_BEGINNING)
            channel.send = self._send_rest
        self._deadline: Deadline = self._wheel.start(self._wait, self._look)

    def end(self) -> None:
        """Look no more."""
        self._deadline.end()

    def _send_rest(self, data: bytes) -> None:
        """Send a response without the byte that went ahead."""
        self._channel.send = self._send
        self._send(data[len(_BEGINNING) :])

    def _look(self) -> None:
        # Linux tells a socket that was closed by its peer of a reset with EPIPE, BSD with ECONNRESET.
        if self._transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abortConnection()
            return
        self._wait = min(2 * self._wait, _LONGEST_WAIT)
        self._deadline = self._wheel.start(self._wait, self._look)
