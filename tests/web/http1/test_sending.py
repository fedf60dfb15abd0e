"""Tests for L{llmproxy.web.http1.sending}, on Twisted's own transport without its socket."""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.poller import SMALL, Poller
from llmproxy.web.http1.sending import sender_for, unsent


def a_server(room: Any) -> Any:
    """
    Exactly Twisted's class, with nothing behind it.

    @param room: how much the socket takes, or what it fails with.
    """
    server: Any = object.__new__(tcp.Server)
    values = {
        "dataBuffer": b"",
        "offset": 0,
        "_tempDataBuffer": [],
        "_tempDataLen": 0,
        "disconnecting": False,
        "connected": True,
        "_aborting": False,
        "_writeDisconnecting": False,
        "TLS": False,
        "sent": b"",
        "waiting": b"",
    }
    for name, value in values.items():
        setattr(server, name, value)

    class Socket:
        def send(self, data: bytes) -> int:
            if isinstance(room, Exception):
                raise room
            server.sent += data[:room]
            return min(int(room), len(data))

    def write(data: bytes) -> None:
        server.waiting += data

    server.socket, server.write = Socket(), write
    return server


class SenderTests(SynchronousTestCase):
    def test_at_once(self) -> None:
        """With nothing waiting the socket gets the bytes before the reactor turns."""
        server = a_server(100)
        sender_for(server, Poller(None))(b"abc")
        self.assertEqual((server.sent, server.waiting), (b"abc", b""))

    def test_in_part(self) -> None:
        """What it does not take goes the usual way, in order."""
        for room, sent, waiting in ((2, b"ab", b"c"), (BlockingIOError(), b"", b"abc")):
            server = a_server(room)
            sender_for(server, Poller(None))(b"abc")
            self.assertEqual((server.sent, server.waiting), (sent, waiting))

    def test_lost(self) -> None:
        """A connection that is lost is Twisted's to tell of, in its own time."""
        server = a_server(ConnectionResetError())
        sender_for(server, Poller(None))(b"abc")
        self.assertEqual(server.waiting, b"abc")

    def test_not_at_once(self) -> None:
        """Nothing overtakes what waits, and nothing is sent past a close or below TLS."""
        states: list[tuple[str, Any]] = [
            ("dataBuffer", b"x"),
            ("_tempDataBuffer", [b"x"]),
            ("disconnecting", True),
            ("connected", False),
            ("_aborting", True),
            ("_writeDisconnecting", True),
            ("TLS", True),
        ]
        for name, value in states:
            server = a_server(100)
            setattr(server, name, value)
            sender_for(server, Poller(None))(b"abc")
            self.assertEqual((server.sent, server.waiting), (b"", b"abc"), name)

    def test_together(self) -> None:
        """What is small leaves with what others write in this turn; what is large does not wait, nor is it held."""
        poller = Poller(None)
        poller.collecting = True
        for size, at_once in ((SMALL, False), (SMALL + 1, True)):
            server = a_server(100_000)
            sender_for(server, poller)(b"x" * size)
            self.assertEqual((len(server.sent), len(server.waiting)), (size, 0) if at_once else (0, size))

    def test_any_other(self) -> None:
        """Every other transport is written to as always."""
        transport = StringTransport()
        sender_for(transport, Poller(None))(b"abc")
        self.assertEqual(transport.value(), b"abc")


class UnsentTests(SynchronousTestCase):
    def test_waiting(self) -> None:
        """What waits in Twisted's buffers counts, below TLS too; a socket that cannot tell counts as empty."""

        class Plain:
            dataBuffer = b"abcdef"
            offset = 2
            _tempDataLen = 3

            def getHandle(self) -> Any:
                raise OSError

        class Above(Plain):
            dataBuffer = b""
            transport = Plain()
            _appSendBuffer = (b"xy",)

        self.assertEqual((unsent(Plain()), unsent(Above())), (7, 9))
