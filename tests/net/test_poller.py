"""Tests for L{llmproxy.net.poller}, on Twisted's own connections without their sockets."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorFDSet, IReadDescriptor
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy.net.poller import TOGETHER, Poller
from llmproxy.net.twistedinternals import SMALL

IN, OUT, ERR, HUP = 1, 4, 8, 16


@implementer(IReactorFDSet)
class Reactor(Clock):
    """
    @ivar readers: what it reads from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    addWriter = removeWriter = removeAll = getReaders = getWriters = None


class Epoll:
    """
    @ivar wanted: by descriptor.
    @ivar ready: what it tells next.
    """

    def __init__(self) -> None:
        self.wanted: dict[int, int] = {}
        self.ready: list[tuple[int, int]] = []

    def register(self, fd: int, event: int) -> None:
        assert fd not in self.wanted
        self.wanted[fd] = event

    def modify(self, fd: int, event: int) -> None:
        assert fd in self.wanted
        self.wanted[fd] = event

    def unregister(self, fd: int) -> None:
        del self.wanted[fd]

    def fileno(self) -> int:
        return 99

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        assert timeout == 0
        ready, self.ready = self.ready[:most], self.ready[most:]
        return ready


class Socket:
    """
    @ivar incoming: what it reads; an exception is what it fails with.
    @ivar room: how much it takes; likewise.
    @ivar sent: each thing that it took.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.incoming: Any = b""
        self.room: Any = 1_000_000
        self.sent: list[bytes] = []
        self.closed = False

    def fileno(self) -> int:
        return self.fd

    def recv(self, size: int) -> bytes:
        if isinstance(self.incoming, Exception):
            raise self.incoming
        data: bytes = self.incoming
        return data

    def send(self, data: bytes) -> int:
        if isinstance(self.room, Exception):
            raise self.room
        taken = bytes(data)[: self.room]
        if taken:
            self.sent.append(taken)
        return len(taken)

    def setblocking(self, on: bool) -> None: ...

    def setsockopt(self, *option: Any) -> None: ...

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None:
        self.closed = True


class Speaker(Protocol):
    """
    @ivar says: what it does with what it hears.
    @ivar lost: how its connection ended.
    """

    says: Any = None
    lost: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.says(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.value


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Speaker):
    half = False

    def readConnectionLost(self) -> None:
        self.half = True

    def writeConnectionLost(self) -> None: ...


class PollerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.epoll = Epoll()
        self.poller = Poller(self.reactor, lambda: self.epoll)

    def adopted(self, fd: int, protocol: Speaker | None = None) -> Any:
        """A connection that echoes what it reads, at the end of which C{says} may be replaced."""
        protocol = Speaker() if protocol is None else protocol
        connection: Any = Connection(Socket(fd), protocol, self.reactor)  # type: ignore[arg-type]
        connection.connected = 1
        protocol.transport = connection
        protocol.says = connection.write
        connection.startReading()
        self.poller.adopt(connection)
        return connection

    def happens(self, *events: tuple[int, int]) -> None:
        self.epoll.ready = list(events)
        while self.epoll.ready:
            self.poller.doRead()

    # -- whose the connections are

    def test_interface(self) -> None:
        verifyObject(IReadDescriptor, self.poller)
        self.assertEqual(self.poller.logPrefix(), "connections")

    def test_adopted(self) -> None:
        """The reactor has one descriptor for all connections, for as long as there are any."""
        one, two = self.adopted(5), self.adopted(6)
        self.assertEqual((self.reactor.readers, self.epoll.wanted), ([self.poller], {5: IN, 6: IN}))
        self.assertEqual(self.poller.fileno(), 99)
        one.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.reactor.readers, self.epoll.wanted), ([self.poller], {6: IN}))
        two.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.reactor.readers, self.epoll.wanted), ([], {}))

    def test_below_tls(self) -> None:
        """What TLS stands on is adopted."""

        class Above:
            transport: Any

        above = Above()
        above.transport = Connection(Socket(5), Speaker(), self.reactor)  # type: ignore[arg-type]
        above.transport.startReading()
        self.poller.adopt(above)
        self.assertEqual(self.epoll.wanted, {5: IN})

    def test_not_adopted(self) -> None:
        """Other transports, other reactors and other systems are left as they are."""
        self.poller.adopt(StringTransport())
        for poller in (Poller(Clock()), Poller(self.reactor, None)):
            connection: Any = Connection(Socket(5), Speaker(), self.reactor)  # type: ignore[arg-type]
            connection.startReading()
            poller.adopt(connection)
            self.assertIn(connection, self.reactor.readers)
        self.assertEqual(self.epoll.wanted, {})

    def test_time(self) -> None:
        """A connection that is aborted asks its reactor for a moment."""
        connection = self.adopted(5)
        connection.abortConnection()
        self.assertEqual(self.epoll.wanted, {})
        self.reactor.advance(0)
        self.assertTrue(connection.disconnected)

    def test_paused(self) -> None:
        """What is not read from is not asked for."""
        connection = self.adopted(5)
        connection.pauseProducing()
        self.assertEqual(self.epoll.wanted, {})
        connection.resumeProducing()
        self.assertEqual(self.epoll.wanted, {5: IN})

    def test_closed_below(self) -> None:
        """A descriptor that somebody has closed is out of the epoll already."""
        connection = self.adopted(5)

        def unregister(fd: int) -> None:
            raise FileNotFoundError(2, "gone")

        self.epoll.unregister = unregister  # type: ignore[method-assign]
        connection.stopReading()
        self.assertEqual(self.reactor.readers, [])

    # -- what is written

    def test_together(self) -> None:
        """What is written while things are read leaves when all of them were, and in one piece for each."""
        order: list[str] = []
        for fd in (5, 6):
            connection = self.adopted(fd)
            connection.socket.incoming = b"x"
            connection.protocol.says = lambda data, c=connection: (
                order.append("read"),
                c.write(data),
                c.write(b"y"),
                self.assertEqual(c.socket.sent, []),
            )
        self.happens((5, IN), (6, IN))
        sent = [self.poller._transports[fd].socket.sent for fd in (5, 6)]
        self.assertEqual((order, sent), (["read", "read"], [[b"xy"], [b"xy"]]))
        self.assertEqual(self.epoll.wanted, {5: IN, 6: IN})
        self.assertFalse(self.poller.collecting)

    def test_alone(self) -> None:
        """A single connection has nobody to wait for."""
        for count in (1, 2):
            told: list[bool] = []
            for fd in range(5, 5 + count):
                connection = self.adopted(fd)
                connection.socket.incoming = b"x"
                connection.protocol.says = lambda _, told=told: told.append(self.poller.collecting)
            self.happens(*[(fd, IN) for fd in range(5, 5 + count)])
            self.assertEqual(told, [count > 1] * count, count)
            for connection in list(self.poller._masks):
                connection.connectionLost(Failure(ConnectionDone()))

    def test_not_for_long(self) -> None:
        """So many wait for each other, and no more."""
        connections = [self.adopted(fd) for fd in range(100, 100 + TOGETHER + 1)]
        for connection in connections:
            connection.socket.incoming = b"x"
        last = connections[-1]
        last.protocol.says = lambda _: self.assertEqual([c.socket.sent for c in connections[:-1]], [[b"x"]] * TOGETHER)
        self.happens(*[(connection.socket.fd, IN) for connection in connections])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_otherwise(self) -> None:
        """What is written at another time waits until the socket can be written, as always."""
        connection = self.adopted(5)
        connection.write(b"abc")
        self.assertEqual((connection.socket.sent, self.epoll.wanted), ([], {5: IN | OUT}))
        self.happens((5, OUT))
        self.assertEqual((connection.socket.sent, self.epoll.wanted), ([b"abc"], {5: IN}))

    def test_no_room(self) -> None:
        """What a socket does not take waits for it, in order; nothing is lost or sent twice."""
        for room, first in ((1, [b"x"]), (BlockingIOError(11, "full"), [])):
            connection = self.adopted(5)
            connection.socket.incoming, connection.socket.room = b"xyz", room
            self.happens((5, IN))
            self.assertEqual(connection.socket.sent[:1], first, (room, first))
            connection.socket.room = 1_000_000
            self.happens((5, OUT))
            self.assertEqual((b"".join(connection.socket.sent), self.epoll.wanted), (b"xyz", {5: IN}), (room, first))
            connection.connectionLost(Failure(ConnectionDone()))

    def test_producer(self) -> None:
        """A producer that was paused goes on when its bytes have left; one that is asked for each piece is asked."""
        for streaming in (True, False):
            asked: list[str] = []
            connection = self.adopted(5)

            class Producer:
                def pauseProducing(self, asked: list[str] = asked) -> None:
                    asked.append("pause")

                def resumeProducing(self, asked: list[str] = asked) -> None:
                    asked.append("resume")

                def stopProducing(self) -> None: ...

            connection.socket.incoming = b"x" * 100_000
            connection.protocol.says = lambda data, c=connection, s=streaming: (
                c.registerProducer(Producer(), s),
                c.write(data),
            )
            self.happens((5, IN))
            self.assertEqual(asked[-1], "resume", streaming)
            self.assertEqual(b"".join(connection.socket.sent), b"x" * 100_000, streaming)
            connection.connectionLost(Failure(ConnectionDone()))

    def test_close(self) -> None:
        """What was written before a close is sent before it, and an abort sends nothing more."""
        for how, sent in (("loseConnection", [b"x"]), ("loseWriteConnection", [b"x"]), ("abortConnection", [])):
            connection = self.adopted(5, HalfCloseable())
            socket = connection.socket
            socket.incoming = b"x"
            connection.protocol.says = lambda data, c=connection, h=how: (c.write(data), getattr(c, h)())
            self.happens((5, IN))
            self.assertEqual((how, socket.sent), (how, sent), (how, sent))
            self.reactor.advance(0)
            if how == "loseWriteConnection":
                connection.connectionLost(Failure(ConnectionDone()))
            self.assertTrue(socket.closed, how)
            self.assertEqual(self.epoll.wanted, {}, (how, sent))

    def test_lost_while_sending(self) -> None:
        """A socket that fails ends its connection, and no other."""
        one, two = self.adopted(5), self.adopted(6)
        protocol = one.protocol
        one.socket.incoming = two.socket.incoming = b"x"
        one.socket.room = ConnectionResetError(104, "reset")
        self.happens((5, IN), (6, IN))
        self.assertIsInstance(protocol.lost, ConnectionLost)
        self.assertEqual(two.socket.sent, [b"x"])

    def test_aborted_while_sending(self) -> None:
        """A connection that is aborted because another one failed sends nothing any more."""
        for how in ("abortConnection", "connectionLost"):
            one, two = self.adopted(5), self.adopted(6)
            other = two.socket
            one.socket.incoming = other.incoming = b"x"
            one.socket.room = ConnectionResetError(104, "reset")
            end = two.abortConnection if how == "abortConnection" else lambda c=two: c.connectionLost(connectionDone)
            one.protocol.connectionLost = lambda _, end=end: end()
            self.happens((5, IN), (6, IN))
            self.reactor.advance(0)
            self.assertEqual((other.sent, self.flushLoggedErrors(), self.epoll.wanted), ([], [], {}), how)

    def test_small(self) -> None:
        """What senders leave to wait is small: large pieces gain nothing by it, and would be held."""
        self.assertLessEqual(SMALL * TOGETHER, 1024 * 1024)

    # -- how connections end

    def test_ended(self) -> None:
        """The end of what a peer sends ends the connection, unless the protocol knows halves."""
        connection = self.adopted(5)
        protocol = connection.protocol
        self.happens((5, IN | HUP))
        self.assertIsInstance(protocol.lost, ConnectionDone)
        half = self.adopted(5, HalfCloseable())
        self.happens((5, IN))
        self.assertEqual((half.protocol.half, half.protocol.lost, self.epoll.wanted), (True, None, {}))

    def test_hung_up(self) -> None:
        """Without anything to read it is done if we were reading, and lost if not."""
        for reading, lost in ((True, ConnectionDone), (False, ConnectionLost)):
            connection = self.adopted(5)
            protocol = connection.protocol
            if not reading:
                connection.write(b"x")
                connection.stopReading()
            self.happens((5, ERR | HUP))
            self.assertIsInstance(protocol.lost, lost)

    def test_failing_read(self) -> None:
        connection = self.adopted(5)
        protocol = connection.protocol
        connection.socket.incoming = ConnectionResetError(104, "reset")
        self.happens((5, IN))
        self.assertIsInstance(protocol.lost, ConnectionLost)

    def test_failing_protocol(self) -> None:
        """What a protocol raises is logged and ends its connection; the others go on."""
        one, two = self.adopted(5), self.adopted(6)
        protocol = one.protocol
        one.socket.incoming = two.socket.incoming = b"x"

        def fail(data: bytes) -> None:
            raise RuntimeError("a fault")

        protocol.says = fail
        self.happens((5, IN), (6, IN))
        self.assertIsInstance(protocol.lost, RuntimeError)
        self.assertEqual(two.socket.sent, [b"x"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_failing_end(self) -> None:
        """So is what it raises when it is told of the end."""
        connection = self.adopted(5)

        def fail(reason: Failure) -> None:
            raise RuntimeError("a fault")

        connection.protocol.connectionLost = fail
        self.happens((5, IN))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.epoll.wanted, {})

    def test_ended_by_another(self) -> None:
        """A connection that another one has ended in the same turn is left alone."""
        one, two = self.adopted(5), self.adopted(6)
        one.socket.incoming = two.socket.incoming = b"x"
        other = two.socket
        one.protocol.says = lambda _: two.connectionLost(Failure(ConnectionDone()))
        self.happens((5, IN), (6, IN))
        self.assertEqual((other.sent, self.flushLoggedErrors()), ([], []))

    def test_reactor_ends(self) -> None:
        """The end of the reactor is the end of all connections, whatever one of them thinks of it."""
        protocols = [self.adopted(fd).protocol for fd in (5, 6)]

        def fail(reason: Failure) -> None:
            raise RuntimeError("a fault")

        protocols[0].connectionLost = fail
        self.poller.connectionLost(Failure(ConnectionLost()))
        self.assertIsInstance(protocols[1].lost, ConnectionLost)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.epoll.wanted, {})
