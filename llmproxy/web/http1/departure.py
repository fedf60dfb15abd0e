"""
The departure of a client whose bytes are not read, because upstream does not take the body that it is sending.

Twisted does not watch a socket that it does not read. The system knows of a reset, and of the end that stands behind
bytes which nobody has read (C{POLLRDHUP}, Linux): neither needs a byte to be taken. Where the system does not tell,
both are noticed as soon as the body is read again. An end that the client's own system still holds back, since
ours has no room for the bytes before it, cannot be known.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...net.timers import Deadline, TimerWheel

LOOK = 0.5
"""Seconds between two looks at the socket."""

_END: int = getattr(select, "POLLRDHUP", 0)
_GONE: int = getattr(select, "POLLERR", 0) | getattr(select, "POLLHUP", 0)


class DepartureWatch:
    """
    Looks at the socket of a connection while it is not read.

    @param paused: whether the connection is open and not read.
    @param ended: called once if the client has closed its side, with the count of its bytes that the system still has.
    """

    __slots__ = ("_deadline", "_ended", "_paused", "_transport", "_wheel")

    def __init__(
        self, wheel: TimerWheel, transport: Any, paused: Callable[[], bool], ended: Callable[[int], object]
    ) -> None:
        self._wheel = wheel
        self._transport = transport
        self._paused = paused
        self._ended = ended
        self._deadline: Deadline | None = wheel.start(LOOK, self._look)

    @property
    def standing(self) -> bool:
        """It will look again."""
        return self._deadline is not None

    def end(self) -> None:
        """Look no more."""
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None

    def _look(self) -> None:
        self._deadline = None
        if not self._paused():
            return
        found = socket_of(self._transport)
        events = 0 if found is None else events_of(found)
        if events & _GONE:
            self._transport.abortConnection()
        elif found is not None and events & _END:
            self._ended(unread_of(found))
        else:
            self._deadline = self._wheel.start(LOOK, self._look)


def socket_of(transport: Any) -> socket.socket | None:
    """The socket that C{transport} stands on, below TLS too."""
    while transport is not None:
        found = getattr(transport, "socket", None)
        if isinstance(found, socket.socket):
            return found
        transport = getattr(transport, "transport", None)
    return None


def events_of(found: socket.socket) -> int:
    """What the system knows of the peer, without reading; 0 where it does not tell."""
    # Without POLLRDHUP some systems say POLLHUP for an end in order.
    if not _END:
        return 0
    poll = select.poll()
    poll.register(found, _END)
    return sum(event for _, event in poll.poll(0))


def unread_of(found: socket.socket) -> int:
    """Bytes that the peer has sent and nobody has read."""
    # Only called where there is POLLRDHUP: Windows has neither of these.
    import fcntl
    import termios

    size: int = struct.unpack("i", fcntl.ioctl(found, termios.FIONREAD, b"\0" * 4))[0]
    return size
