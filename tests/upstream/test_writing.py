"""Tests for L{llmproxy.upstream.writing}, on Twisted's own transport without its socket."""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.poller import Poller
from llmproxy.net.twistedinternals import SMALL
from llmproxy.upstream.writing import readable, sender, unwritten


class Socket:
    """
    @ivar room: how much it takes now; an exception is what it fails with.
    @ivar sent: what it took.
    """

    def __init__(self) -> None:
        self.room: Any = 100
        self.sent = b""

    def send(self, data: bytes) -> int:
        if isinstance(self.room, Exception):
            raise self.room
        self.sent += data[: self.room]
        return min(int(self.room), len(data))


class Tcp(Connection):
    """
    @ivar waiting: what was left to Twisted.
    """

    def __init__(self) -> None:
        self.dataBuffer = b""
        self._tempDataBuffer = []
        self.connected = True
        self.disconnecting = False
        self.waiting = b""
        self.socket: Any = Socket()

    @property
    def sent(self) -> bytes:
        sent: bytes = self.socket.sent
        return sent

    def write(self, data: bytes) -> None:
        self.waiting += data


class PeekedSocket:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def recv(self, size: int, flags: int) -> bytes:
        if isinstance(self._answer, Exception):
            raise self._answer
        answer: bytes = self._answer
        return answer


class SenderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transport = Tcp()
        self.send = sender(self.transport, Poller(None))

    def test_at_once(self) -> None:
        """With nothing waiting the socket gets the bytes before the reactor turns."""
        self.assertTrue(self.send(b"abc"))
        self.assertEqual((self.transport.sent, self.transport.waiting), (b"abc", b""))

    def test_in_part(self) -> None:
        """What it does not take goes the usual way, in order."""
        self.transport.socket.room = 2
        self.assertTrue(self.send(b"abc"))
        self.assertEqual((self.transport.sent, self.transport.waiting), (b"ab", b"c"))
        self.transport.socket.room = BlockingIOError()
        self.assertTrue(self.send(b"d"))
        self.assertEqual(self.transport.waiting, b"cd")

    def test_behind_others(self) -> None:
        """While something waits nothing overtakes it."""
        for waiting in ("dataBuffer", "_tempDataBuffer"):
            self.setUp()
            setattr(self.transport, waiting, [b"x"] if waiting.startswith("_") else b"x")
            self.assertTrue(self.send(b"abc"), waiting)
            self.assertEqual((self.transport.sent, self.transport.waiting), (b"", b"abc"), waiting)

    def test_together(self) -> None:
        """What is small leaves with what others write in this turn, over a connection that stands."""
        poller = Poller(None)
        poller.collecting = True
        send = sender(self.transport, poller)
        self.assertTrue(send(b"abc"))
        self.assertEqual((self.transport.sent, self.transport.waiting), (b"", b"abc"))
        self.transport.disconnecting = True
        self.assertFalse(send(b"abc"))
        self.setUp()
        self.assertTrue(sender(self.transport, poller)(b"x" * (SMALL + 1)))
        self.assertEqual(len(self.transport.sent), 100)

    def test_dead(self) -> None:
        """A connection that is known to be gone says so: then nothing was sent."""
        self.transport.socket.room = BrokenPipeError()
        self.assertFalse(self.send(b"abc"))
        self.setUp()
        self.transport.connected = False
        self.assertFalse(self.send(b"abc"))
        self.setUp()
        self.transport.disconnecting = True
        self.assertFalse(self.send(b"abc"))
        self.assertEqual((self.transport.sent, self.transport.waiting), (b"", b""))

    def test_any_other(self) -> None:
        """Every other transport is written to as always."""
        transport = StringTransport()
        self.assertIsNot(sender(transport, Poller(None))(b"abc"), False)
        self.assertEqual(transport.value(), b"abc")


class UnwrittenTests(SynchronousTestCase):
    def test_waiting(self) -> None:
        """What Twisted holds has not left; of other transports nobody knows, and it counts as sent."""
        transport = Tcp()
        transport._tempDataLen = 0
        self.assertEqual(unwritten(transport), 0)
        transport.dataBuffer, transport.offset, transport._tempDataLen = b"abcdef", 2, 3
        self.assertEqual((unwritten(transport), unwritten(StringTransport())), (7, 0))


class ReadableTests(SynchronousTestCase):
    def test_silent(self) -> None:
        """A connection that has nothing to say has nothing to read."""
        self.assertFalse(self.readable(BlockingIOError()))

    def test_not_silent(self) -> None:
        """Its end, a fault, and what nobody asked for are something to read, below TLS too."""
        for answer in (b"", b"x", ConnectionResetError()):
            self.assertTrue(self.readable(answer), answer)
        above = StringTransport()
        above.transport = self.transport  # type: ignore[attr-defined]
        self.assertTrue(readable(above))

    def test_unknown(self) -> None:
        """Where nobody can tell, it counts as silent."""
        self.assertFalse(readable(StringTransport()))

    def readable(self, answer: Any) -> bool:
        self.transport = Tcp()
        self.transport.socket = PeekedSocket(answer)
        return readable(self.transport)
