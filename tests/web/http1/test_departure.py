"""Tests for L{llmproxy.web.http1.departure}."""

from __future__ import annotations

import select
import socket
import struct
import sys
from unittest import skipUnless

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.timers import TimerWheel
from llmproxy.web.http1.departure import LOOK, DepartureWatch, socket_of

LINGERS_NOT = struct.pack("ii", 1, 0)


class Below:
    """A transport, or TLS on one."""

    def __init__(self, found: socket.socket | None = None, transport: object = None) -> None:
        self.aborted = 0
        if found is not None:
            self.socket = found
        self.transport = transport

    def abortConnection(self) -> None:
        self.aborted += 1


@skipUnless(hasattr(select, "POLLRDHUP"), f"{sys.platform} does not tell the end behind unread bytes")
class DepartureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.paused = True
        self.ended: list[int] = []

    def pair(self) -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as port:
            client = socket.create_connection(port.getsockname())
            server = port.accept()[0]
        self.addCleanup(client.close)
        self.addCleanup(server.close)
        return client, server

    def watch(self, transport: object) -> DepartureWatch:
        return DepartureWatch(TimerWheel(self.clock), transport, lambda: self.paused, self.ended.append)

    def wait(self, looks: int = 1) -> None:
        self.clock.pump([LOOK / 4] * (6 * looks))

    def test_there(self) -> None:
        """A client that is there is looked at again; unread bytes are no end."""
        client, server = self.pair()
        client.sendall(b"abc")
        watch = self.watch(transport := Below(server))
        self.wait(4)
        self.assertEqual((watch.standing, transport.aborted, self.ended), (True, 0, []))
        watch.end()
        self.assertFalse(watch.standing)

    def test_end(self) -> None:
        """The end is found behind unread bytes, which are counted and stay, and told once; below TLS too."""
        for data in (b"", b"abc"):
            client, server = self.pair()
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            transport = Below(transport=Below(server))
            watch = self.watch(transport)
            self.wait(4)
            self.assertEqual((self.ended, watch.standing, transport.aborted), ([len(data)], False, 0), data)
            self.assertEqual(server.recv(9), data, data)
            self.ended.clear()

    def test_reset(self) -> None:
        """One that resets the connection has left."""
        client, server = self.pair()
        client.sendall(b"abc")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGERS_NOT)
        client.close()
        self.watch(transport := Below(server))
        self.wait(4)
        self.assertEqual((transport.aborted, self.ended), (1, []))

    def test_read(self) -> None:
        """A connection that is read again is left alone: reading finds out."""
        client, server = self.pair()
        client.close()
        watch = self.watch(Below(server))
        self.paused = False
        self.wait()
        self.assertEqual((watch.standing, self.ended), (False, []))

    def test_no_socket(self) -> None:
        """Where there is no socket nothing is found."""
        self.assertIsNone(socket_of(Below(transport=Below())))
        watch = self.watch(Below())
        self.wait()
        self.assertEqual((watch.standing, self.ended), (True, []))
        watch.end()
