"""Tests for L{llmproxy.net.twistedinternals}, on Twisted's own transports without their sockets."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IUNIXTransport
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from llmproxy.net import twistedinternals
from llmproxy.net.poller import Poller
from llmproxy.net.twistedinternals import (
    MISSING,
    SMALL,
    adopt_unix_port,
    hear_port,
    is_own_resolver,
    missing_names,
    parse_errors,
    parses_forms,
    sender,
    unwritten,
)

from ..harness import Exchange, a_request


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
        sender(server, Poller(None), server.write)(b"abc")
        self.assertEqual((server.sent, server.waiting), (b"abc", b""))

    def test_in_part(self) -> None:
        """What it does not take goes the usual way, in order."""
        for room, sent, waiting in ((2, b"ab", b"c"), (BlockingIOError(), b"", b"abc")):
            server = a_server(room)
            sender(server, Poller(None), server.write)(b"abc")
            self.assertEqual((server.sent, server.waiting), (sent, waiting), (room, sent, waiting))

    def test_lost(self) -> None:
        """A connection that is lost is Twisted's to tell of, in its own time."""
        server = a_server(ConnectionResetError())
        sender(server, Poller(None), server.write)(b"abc")
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
            sender(server, Poller(None), server.write)(b"abc")
            self.assertEqual((server.sent, server.waiting), (b"", b"abc"), name)

    def test_together(self) -> None:
        """What is small leaves with what others write in this turn; what is large does not wait, nor is it held."""
        poller = Poller(None)
        poller.collecting = True
        for size, at_once in ((SMALL, False), (SMALL + 1, True)):
            server = a_server(100_000)
            sender(server, poller, server.write)(b"x" * size)
            self.assertEqual(
                (len(server.sent), len(server.waiting)), (size, 0) if at_once else (0, size), (size, at_once)
            )

    def test_any_other(self) -> None:
        """Every other transport is written to as always."""
        transport = StringTransport()
        sender(transport, Poller(None), self.fail)(b"abc")
        self.assertEqual(transport.value(), b"abc")

    def test_gone(self) -> None:
        """Who sends is asked what becomes of bytes that a connection did not take."""
        server = a_server(BrokenPipeError())
        self.assertIs(sender(server, Poller(None), lambda data: False)(b"abc"), False)
        self.assertEqual((server.sent, server.waiting), (b"", b""))

    def test_unix(self) -> None:
        """A Unix socket sends by itself: what is written may have descriptors with it."""
        server = a_server(100)
        directlyProvides(server, IUNIXTransport)
        sender(server, Poller(None), server.write)(b"abc")
        self.assertEqual((server.sent, server.waiting), (b"", b"abc"))


class CheckTests(SynchronousTestCase):
    def test_installed(self) -> None:
        """The installed Twisted is one that is known."""
        self.assertEqual((MISSING, missing_names()), ((), ()))

    def test_unknown(self) -> None:
        """A Twisted without a name, or that uses one otherwise, is seen."""

        class Renamed(FileDescriptor):
            _buffered = b""

            def write(self, data: bytes) -> None:
                self._buffered += data

        class Counted(FileDescriptor):
            def doWrite(self) -> Any:
                why = super().doWrite()
                self.dataBuffer, self.offset = self.dataBuffer[self.offset :], 0
                return why

        class Broken(FileDescriptor):
            write = None

        class NoAborting(tcp.Connection):
            _aborting = property()

        for descriptor, connection, missing in (
            (Renamed, tcp.Connection, {"dataBuffer", "_tempDataBuffer", "_tempDataLen"}),
            (Counted, tcp.Connection, {"dataBuffer", "offset"}),
            (Broken, tcp.Connection, {"TypeError of a write"}),
            (FileDescriptor, NoAborting, {"_aborting"}),
            (FileDescriptor, object, {"_aborting", "_writeDisconnecting", "TLS", "bufferSize", "doWrite"}),
        ):
            with self.subTest(descriptor=descriptor.__name__, connection=connection.__name__):
                self.assertLessEqual(missing, set(missing_names(descriptor, connection)), descriptor)

    def test_said(self) -> None:
        """It is said once, as the process starts."""
        lines: list[Any] = []
        observe = lines.append
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        Poller(None)
        self.patch(twistedinternals, "MISSING", ("_tempDataBuffer",))
        Poller(None)
        self.assertEqual(len(lines), 1)
        self.assertIn("not known (_tempDataBuffer)", formatEvent(lines[0]) or "")


class FallbackTests(SynchronousTestCase):
    """Nothing of Twisted's is known."""

    def setUp(self) -> None:
        self.patch(twistedinternals, "MISSING", ("_tempDataBuffer",))

    def test_write(self) -> None:
        """What is sent goes the public way."""
        server = a_server(100)
        self.assertEqual(sender(server, Poller(None), self.fail), server.write)

    def test_unwritten(self) -> None:
        """Nobody knows what waits."""
        server = a_server(100)
        server.dataBuffer = b"abc"
        self.assertEqual(unwritten(server), 0)

    def test_exchange(self) -> None:
        """A whole exchange, with a body each way and a stream of pieces."""
        exchange = Exchange()
        client = exchange.client()
        for number in range(2):
            client.receive(a_request(b"/v1/x", body=b"{}"))
            [upstream] = exchange.upstream
            self.assertTrue(upstream.take().endswith(b"\r\n\r\n{}"), number)
            upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n")
            upstream.receive(b"0\r\n\r\n")
            self.assertTrue(client.take().endswith(b"5\r\npiece\r\n0\r\n\r\n"), number)
        self.assertEqual([record.ended for record in exchange.records], ["complete"] * 2)
        self.assertTrue(exchange.idle())


class OtherNamesTests(SynchronousTestCase):
    def test_resolver(self) -> None:
        """A resolver that an application gave its reactor is told from Twisted's own."""
        from twisted.internet import reactor

        self.assertEqual([is_own_resolver(each) for each in (reactor.nameResolver, object())], [True, False])  # type: ignore[attr-defined]

    def test_parse_errors(self) -> None:
        """The exception for a response that is none is there."""
        self.assertEqual([error.__name__ for error in parse_errors()], ["ParseError"])

    def test_forms(self) -> None:
        """A site says whether it reads forms; one that cannot say does."""

        class Site:
            _parsePOSTFormSubmission = False

        self.assertEqual((parses_forms(Site()), parses_forms(object())), (False, True))

    def test_unix_port(self) -> None:
        """A path that another process keeps has the mode that was asked for, and stays at the end."""
        from twisted.internet import reactor, unix

        for name in ("private", "public"):
            if name == "public":
                self.patch(unix.Port, "_fromListeningDescriptor", None)
            path = self.mktemp()[-60:]
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with socket.socket(socket.AF_UNIX) as kept:
                kept.bind(path)
                kept.listen()
                kept.setblocking(False)
                if name == "public":
                    port = adopt_unix_port(_Adopting(path), kept.fileno(), Factory(), 0o600)
                    self.assertEqual(os.stat(path).st_mode & 0o777, 0o600, name)
                    continue
                port = adopt_unix_port(reactor, kept.fileno(), Factory(), 0o600)
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600, name)
                port.stopListening()
                self.assertTrue(os.path.exists(path), name)


class _Adopting(MemoryReactorClock):
    """Adopts a Unix socket as Twisted's public way does, and gives its path a mode."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def adoptStreamPort(self, fd: int, family: int, factory: Any) -> Any:
        os.chmod(self._path, 0o666)
        return self

    def getHost(self) -> Any:
        return type("Address", (), {"name": self._path})()


class PortTests(SynchronousTestCase):
    def test_heard(self) -> None:
        """What Twisted's port says as it can accept nothing is heard, and is not in the log."""

        class Socket:
            def accept(self) -> None:
                raise OSError(errno.ENFILE, "too many")

        port: Any = tcp.Port(0, Factory())
        port.socket, port.numberAccepts = Socket(), 1
        heard: list[Any] = []
        logged: list[Any] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        hear_port(port, heard.append)
        port.doRead()
        self.assertEqual(([event["acceptError"] for event in heard], logged), (["ENFILE"], []))
        self.assertIsNone(hear_port(object(), heard.append))
