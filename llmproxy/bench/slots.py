"""The connections of a load: non-blocking sockets behind one epoll object."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable

from .framing import Response
from .values import LoadSpec

CONNECT_TIMEOUT = 10.0

AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""Nothing to read, or no room to write, just now."""


class Slot:
    """
    One connection.

    @ivar started: when its request was sent or was due, in nanoseconds; 0 while it has none.
    @ivar freed: of an open loop, when it became free for a next one.
    @ivar events: how many its stream brought.
    @ivar response: what came of the answer, if not all came at once.
    @ivar unsent: what the socket did not take of the request.
    """

    __slots__ = ("content", "events", "freed", "recv", "response", "send", "sock", "started", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.recv: Callable[[int], bytes] = sock.recv
        self.send: Callable[[bytes], int] = sock.send
        self.started = 0
        self.freed = 0
        self.events = 0
        self.response: Response | None = None
        self.content = b""
        self.unsent = b""

    @property
    def open(self) -> bool:
        return self.sock.fileno() >= 0


def connect(spec: LoadSpec) -> socket.socket:
    """
    A connected socket, no longer blocking. Connecting itself blocks: it is not what is measured.

    @raise OSError: it cannot be had.
    """
    sock = socket.create_connection((spec.host, spec.port), CONNECT_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if spec.tls:
        # A gateway under test has a certificate of its own making; what is measured is not trust.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        sock = context.wrap_socket(sock, server_hostname=spec.host)
    sock.setblocking(False)
    return sock


class Slots:
    """
    @ivar live: the connections by descriptor.
    @ivar lost: how many could not be opened, and are to be tried again.
    """

    def __init__(self, spec: LoadSpec, connect: Callable[[LoadSpec], socket.socket] = connect) -> None:
        self._spec = spec
        self._connect = connect
        # Before any socket, so that its number stays small enough for select().
        self.poller = select.epoll()
        self.live: dict[int, Slot] = {}
        self.lost = 0

    def open(self) -> Slot | None:
        """One more connection, or C{None}, and it counts as lost."""
        try:
            slot = Slot(self._connect(self._spec))
        except OSError:
            self.lost += 1
            return None
        fd = slot.sock.fileno()
        self.live[fd] = slot
        self.poller.register(fd, select.EPOLLIN)
        return slot

    def close(self, slot: Slot) -> None:
        """Harmless if it is closed."""
        fd = slot.sock.fileno()
        if fd >= 0:
            del self.live[fd]
            slot.sock.close()

    def close_all(self) -> None:
        for slot in list(self.live.values()):
            self.close(slot)
        self.poller.close()

    def send(self, slot: Slot, data: bytes) -> None:
        """What does not fit is sent when there is room. A broken connection shows when it is read."""
        try:
            sent = slot.send(data)
        except AGAIN:
            sent = 0
        except OSError:
            return
        if sent < len(data):
            self.rest(slot, data[sent:])

    def rest(self, slot: Slot, data: bytes) -> None:
        """Send this when there is room."""
        slot.unsent = data
        self.poller.modify(slot.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def flush(self, slot: Slot) -> None:
        """There is room again."""
        data, slot.unsent = slot.unsent, b""
        self.poller.modify(slot.sock.fileno(), select.EPOLLIN)
        if data:
            self.send(slot, data)
