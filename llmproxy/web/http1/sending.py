"""
Sending without a detour through the reactor.

C{transport.write} of Twisted's TCP keeps the bytes, asks epoll to tell when the socket can be written, writes in the
next turn, and takes the wish back: three system calls for one. Where nothing is waiting, the socket is tried at once.
"""

from __future__ import annotations

from collections.abc import Callable
from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp

from ...net.poller import SMALL

if TYPE_CHECKING:
    from ...net.poller import Poller


def sender_for(transport: Any, poller: Poller) -> Callable[[bytes], None]:
    """
    What writes to C{transport}: its own C{write}, unless it is plain TCP.

    The order of the bytes, backpressure and the loss of the connection are as with C{write}: what the
    socket does not take at once, and what it fails at, goes there; and what is small, while C{poller} collects.
    """
    # Exactly this class: TLS replaces the transport's class or wraps it.
    if type(transport) is not tcp.Server:
        write: Callable[[bytes], None] = transport.write
        return write

    def send(data: bytes) -> None:
        # Private, but these two are the only way to know that nothing is waiting (Twisted 26.4 to 26.10).
        if (
            transport._tempDataBuffer
            or transport.dataBuffer
            or transport.disconnecting
            or not transport.connected
            or transport._aborting
            or transport._writeDisconnecting
            or transport.TLS
            or (poller.collecting and len(data) <= SMALL)
        ):
            transport.write(data)
            return
        try:
            sent = transport.socket.send(data)
        except OSError:
            # No room, or the connection is lost: write() finds that out again, in its own time.
            sent = 0
        if sent != len(data):
            transport.write(data[sent:] if sent else data)

    return send


def queued(transport: Any) -> int:
    """Bytes that were written and wait in this process for room in the system."""
    size: int = sum(map(len, getattr(transport, "_appSendBuffer", ())))
    # TLS hides the transport below it.
    below = getattr(transport, "transport", transport)
    size += len(getattr(below, "dataBuffer", b"")) - getattr(below, "offset", 0) + getattr(below, "_tempDataLen", 0)
    return size


def unsent(transport: Any) -> int:
    """
    Bytes that were written and that the peer's system does not have yet, where that can be known.

    Twisted tells when all is sent; who waits for a slow peer wants to know whether there is less than before.
    """
    size = queued(transport)
    try:
        return size + int.from_bytes(ioctl(transport.getHandle(), TIOCOUTQ, bytes(4)), byteorder)
    except (AttributeError, OSError, TypeError, ValueError):
        # Closed, or of a kind that does not tell: in memory, or TLS over something else.
        return size
