"""
The half-closed connection of a client, which has left, or waits for its answer.

TCP shows both in the same way (FIN), until something reaches the client's system: one that has closed its socket
answers with a reset. RFC 9112 section 9.6 allows to wait, so a client that does is sent its answer, and nothing else:

 - Before the head of a response its first byte goes ahead. All responses begin with it, so it commits to nothing.
 - Within a response there is no such byte: a digit of the next chunk's size alone can be read as the last chunk
   (Python's C{http.client} reads C{0} and the end of the connection as a complete answer). While bytes flow, they find
   out. A client to whom there was nothing to send for C{limits.half_closed} seconds has left: upstream's answer is
   paid for, and those who close their side and wait for a stream are few. nginx (without
   C{proxy_ignore_client_abort}) and Go's C{net/http} take the FIN itself for leaving.

Over TLS there is nothing to find out: a client that sends C{close_notify} has left.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .sending import unsent

if TYPE_CHECKING:
    from ...net.timers import Deadline, TimerWheel

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

    @param silence: in seconds; see L{llmproxy.core.clientlimits.Limits.half_closed}.
    @param send: writes to the client; from now on L{HalfCloseProbe.send} has to be used in its place.
    @param writing: whether a response is being written.
    """

    def __init__(
        self,
        wheel: TimerWheel,
        silence: float,
        transport: Any,
        send: Callable[[bytes], object],
        writing: Callable[[], bool],
    ) -> None:
        self._wheel = wheel
        self._silence = silence
        self._transport = transport
        self._send = send
        self._writing = writing
        self._wait = _FIRST_LOOK
        with suppress(OSError):
            # A Unix socket needs none: what is written to one whose peer has closed it fails.
            for option in _PROBING:
                self._transport.getHandle().setsockopt(socket.IPPROTO_TCP, option, _KEEP_ALIVE)
        self._longest = _LONGEST_WAIT
        self._unsent = 0
        self._ahead = not writing()
        if self._ahead:
            self._send(_BEGINNING)
        else:
            self._follow()
        self._deadline: Deadline = self._wheel.start(self._wait, self._look)

    def end(self) -> None:
        """Look no more."""
        self._deadline.end()

    def send(self, data: bytes) -> None:
        """Send a part of the response, without the byte that went ahead."""
        if self._ahead:
            self._ahead = False
            self._follow()
            self._deadline.end()
            self._deadline = self._wheel.start(self._wait, self._look)
            data = data[len(_BEGINNING) :]
        else:
            self._deadline.at = max(self._deadline.at, self._wheel.now() + self._silence)
        self._send(data)

    def _follow(self) -> None:
        """Bytes flow from now on: no look is further away than the silence that is waited for."""
        self._wait = self._longest = self._silence

    def _look(self) -> None:
        # A reset of a socket whose peer had closed is EPIPE on Linux, ECONNRESET on BSD.
        if self._transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or self._is_silent():
            self._transport.abortConnection()
            return
        self._wait = min(2 * self._wait, self._longest)
        self._deadline = self._wheel.start(self._wait, self._look)

    def _is_silent(self) -> bool:
        """
        Whether there has been nothing to send, within a response.

        What the client's system has not taken yet will find out.
        """
        before, self._unsent = self._unsent, unsent(self._transport)
        return self._writing() and not (before or self._unsent)
