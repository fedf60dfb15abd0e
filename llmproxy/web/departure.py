"""
A client that sends no more: has it left, or does it wait for its answer?

TCP says the same in both cases, until something is sent: who has left answers with a reset. So something is sent that
changes nothing: before the head of a response C{100 Continue}, which every client of HTTP/1.1 passes over (RFC 9110
section 15.2.1); between two chunks the first digit of the next size, a zero (RFC 9112 section 7.1 allows any number).
Elsewhere the next bytes of the response find out.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wheel import Deadline, Wheel
    from .request import ProxyRequest

_FIRST_LOOK = 0.1
_LAST_LOOK = 10.0
"""Seconds after which nobody who has left would still be silent: several round trips of the slowest links."""


class Departure:
    """
    Watches a connection whose client has closed its side, and resets it once the client turns out to be gone.

    Twisted does not watch it: it neither reads nor has anything to write.
    """

    def __init__(self, wheel: Wheel, transport: Any, request: ProxyRequest, send: Callable[[bytes], None]) -> None:
        self._wheel = wheel
        self._transport = transport
        self._wait = _FIRST_LOOK
        self._deadline: Deadline | None = None
        probe = _probe(request)
        if probe:
            send(probe)
            self._deadline = wheel.start(self._wait, self._look)

    def end(self) -> None:
        """Look no more."""
        if self._deadline is not None:
            self._deadline.end()

    def _look(self) -> None:
        # Linux tells a socket that was closed by its peer of a reset with EPIPE, BSD with ECONNRESET.
        if self._transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abortConnection()
            return
        self._wait *= 2
        if self._wait < _LAST_LOOK:
            self._deadline = self._wheel.start(self._wait, self._look)


def _probe(request: ProxyRequest) -> bytes:
    if not request.startedWriting:
        return b"HTTP/1.1 100 Continue\r\n\r\n" if request.clientproto == b"HTTP/1.1" else b""
    return b"0" if request.between_chunks else b""
