"""
Writing to a socket at once.

Twisted's C{transport.write} keeps the bytes until the next turn of the reactor and pays two C{epoll_ctl}
for it, which is more than the C{send} itself. With nothing waiting, a TCP socket can be tried
directly; what it does not take goes the usual way.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.tcp import Connection

from ..net.poller import SMALL

if TYPE_CHECKING:
    from twisted.internet.interfaces import ITransport

    from ..net.poller import Poller

Send = Callable[[bytes], bool]
"""Writes bytes; C{False} if the connection is known to be dead and took none of them."""


def sender(transport: ITransport, poller: Poller) -> Send:
    """The quickest way to write to C{transport}; while C{poller} collects, what is small leaves with the others'."""
    if isinstance(transport, Connection) and not transport.TLS:
        return _DirectSender(transport, poller).send
    return _IndirectSender(transport).send


class _DirectSender:
    __slots__ = ("_poller", "_transport")

    def __init__(self, transport: Connection, poller: Poller) -> None:
        self._transport = transport
        self._poller = poller

    def send(self, data: bytes) -> bool:
        transport = self._transport
        if transport.dataBuffer or transport._tempDataBuffer:
            transport.write(data)
            return True
        if not transport.connected or transport.disconnecting:
            return False
        if self._poller.collecting and len(data) <= SMALL:
            transport.write(data)
            return True
        try:
            taken = transport.socket.send(data)
        except BlockingIOError:
            taken = 0
        except OSError:
            return False
        if taken < len(data):
            transport.write(data[taken:] if taken else data)
        return True


class _IndirectSender:
    __slots__ = ("_transport",)

    def __init__(self, transport: ITransport) -> None:
        self._transport = transport

    def send(self, data: bytes) -> bool:
        self._transport.write(data)
        return True


def unwritten(transport: Any) -> int:
    """Bytes that were handed to C{transport} and not to the system; none as far as another one tells."""
    if not isinstance(transport, Connection):
        return 0
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


def readable(transport: Any) -> bool:
    """
    Whether a connection that should be silent has something to read, which is its end or nothing good.

    The reactor would tell at its next turn; this asks the kernel now. C{False} where that is not possible.
    """
    while transport is not None and not isinstance(transport, Connection):
        transport = getattr(transport, "transport", None)
    if transport is None:
        return False
    try:
        transport.socket.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
