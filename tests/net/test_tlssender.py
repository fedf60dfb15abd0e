"""Tests for what L{llmproxy.net.twistedinternals} writes to TLS: with OpenSSL at both ends, and no socket."""

from __future__ import annotations

import os
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from llmproxy.net import twistedinternals
from llmproxy.net.poller import Poller
from llmproxy.net.twistedinternals import RECORD, RECORDS, sender

from ..integration.certificates import Authority
from ..tables import row
from .test_twistedinternals import a_server


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


class Pair:
    """
    A server's transport and a client.

    @ivar writes: what was given to TCP.
    @ivar heard: what the client has read; C{ended}: it was told that there is no more.
    """

    def __init__(self, files: tuple[str, str], version: int, below: Any = None) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(files[0])
        context.use_privatekey_file(files[1])
        self.clock = Clock()
        factory = TLSMemoryBIOFactory(Creator(context), False, Factory.forProtocol(Protocol), clock=self.clock)
        self.tls: Any = factory.buildProtocol(None)
        self.below = a_server(0) if below is None else below
        self.writes: list[bytes] = []
        if below is None:
            self.below.socket.send = self._taken
            self.below.write = self.writes.append
            self.below.loseConnection = lambda: None
            self.below.abortConnection = lambda: None
        self.tls.makeConnection(self.below)
        self.poller: Any = Poller(None)
        self.send = sender(self.tls, self.poller, self.tls.write)
        client_context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        client_context.set_max_proto_version(version)
        self.client = SSL.Connection(client_context, None)
        self.client.set_connect_state()
        self.heard = b""
        self.ended = False

    def _taken(self, data: bytes) -> int:
        self.writes.append(bytes(data))
        return len(data)

    def greet(self) -> None:
        """The handshake."""
        for _ in range(4):
            try:
                self.client.do_handshake()
            except SSL.WantReadError:
                pass
            self.pass_on()

    def pass_on(self) -> None:
        """What waits at either end comes to the other."""
        self.clock.advance(0)
        try:
            while True:
                self.tls.dataReceived(self.client.bio_read(1 << 20))
        except SSL.WantReadError:
            pass
        self.clock.advance(0)
        writes, self.writes[:] = b"".join(self.writes), []
        if writes:
            self.client.bio_write(writes)
        try:
            while True:
                self.heard += self.client.recv(1 << 20)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True


class Taking:
    """What takes so many bytes of a write."""

    def __init__(self, whole: Any, most: int) -> None:
        self._whole = whole
        self._most = most

    def send(self, data: Any) -> int:
        taken: int = self._whole.send(data[: self._most])
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class TlsSenderTests(SynchronousTestCase):
    files: tuple[str, str]

    def setUp(self) -> None:
        self.files = Authority(self.mktemp()).issue("one.example")

    def pair(self, version: int = SSL.TLS1_3_VERSION) -> Pair:
        pair = Pair(self.files, version)
        pair.greet()
        return pair

    def test_bytes(self) -> None:
        """The same bytes whatever their number, and up to some records of them in one write to TCP."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            pair = self.pair(version)
            four = RECORDS * RECORD
            for size, writes in (
                *((1, 1), (5, 1), (RECORD - 1, 1), (RECORD, 1), (RECORD + 1, 1), (four, 1), (four + RECORD - 1, 1)),
                *((four + RECORD, 2), (2 * four, 2), (2 * four + 9, 2), (46 * four, 46)),
            ):
                with row(version, size):
                    data = os.urandom(size)
                    pair.heard = b""
                    pair.send(data)
                    self.assertEqual(len(pair.writes), writes)
                    pair.pass_on()
                    self.assertEqual(pair.heard, data)

    def test_parts(self) -> None:
        """Where OpenSSL takes a part of a write, as it does where records are small, the rest comes after it."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            pair = self.pair(version)
            pair.tls._tlsConnection = Taking(pair.tls._tlsConnection, 512)
            for size in (
                1,
                511,
                512,
                513,
                RECORD - 1,
                RECORD,
                RECORD + 1,
                RECORDS * RECORD,
                (RECORDS + 2) * RECORD - 1,
            ):
                with row(version, size):
                    data = os.urandom(size)
                    pair.heard = b""
                    pair.send(data)
                    pair.pass_on()
                    self.assertEqual(pair.heard, data)

    def test_nothing(self) -> None:
        pair = self.pair()
        pair.send(b"")
        self.assertEqual(pair.writes, [])

    def test_views(self) -> None:
        """What is no C{bytes} is taken as C{write} takes it."""
        pair = self.pair()
        pair.send(memoryview(b"abc"))
        pair.send(bytearray(b"d" * RECORD * 2))
        pair.pass_on()
        self.assertEqual(pair.heard, b"abc" + b"d" * RECORD * 2)

    def test_order(self) -> None:
        """What was written to the transport itself is not overtaken."""
        pair = self.pair()
        pair.tls.write(b"a")
        pair.send(b"b")
        pair.clock.advance(0)
        pair.send(b"c")
        pair.tls.write(b"d")
        pair.pass_on()
        self.assertEqual(pair.heard, b"abcd")

    def test_before(self) -> None:
        """What is written within the handshake leaves after it."""
        pair = Pair(self.files, SSL.TLS1_3_VERSION)
        pair.send(b"a")
        pair.send(b"b" * RECORD)
        self.assertEqual(pair.writes, [])
        pair.greet()
        pair.pass_on()
        self.assertEqual(pair.heard, b"a" + b"b" * RECORD)

    def test_closing(self) -> None:
        """What came before the end comes before it, and nothing after it."""
        pair = self.pair()
        pair.send(b"last")
        pair.tls.loseConnection()
        pair.send(b"late")
        pair.pass_on()
        self.assertEqual((pair.heard, pair.ended), (b"last", True))

    def test_lost(self) -> None:
        """A connection that is gone takes everything."""
        pair = self.pair()
        pair.tls.connectionLost(Failure(ConnectionDone()))
        pair.writes.clear()
        pair.send(b"late")
        pair.clock.advance(0)
        self.assertEqual(pair.writes, [])

    def test_aborted(self) -> None:
        pair = self.pair()
        pair.tls.abortConnection()
        pair.writes.clear()
        pair.send(b"late")
        pair.clock.advance(0)
        self.assertEqual(pair.writes, [])

    def test_together(self) -> None:
        """While several connections are handled, what is small waits for them as encrypted bytes."""
        pair = self.pair()
        taken: list[bytes] = []
        pair.below.socket.send = lambda data: taken.append(data) or len(data)
        pair.poller.collecting = True
        pair.send(b"a")
        self.assertEqual((len(pair.writes), taken), (1, []))

    def test_refused(self) -> None:
        """OpenSSL takes a part: that leaves, and Twisted has the rest, and what is wrong."""
        pair = self.pair()
        whole = pair.tls._tlsConnection

        class Refusing:
            left = 2

            def send(self, data: Any) -> int:
                if not self.left:
                    raise SSL.WantReadError
                self.left -= 1
                taken: int = whole.send(data)
                return taken

            def __getattr__(self, name: str) -> Any:
                return getattr(whole, name)

        refusing = pair.tls._tlsConnection = Refusing()
        data = os.urandom(RECORD * 3)
        pair.send(data)
        pair.clock.advance(0)
        refusing.left = 100
        pair.client.send(b"x")
        pair.pass_on()
        pair.pass_on()
        self.assertEqual(pair.heard, data)

    def test_unknown(self) -> None:
        """A Twisted whose TLS is another one is written to as always."""
        self.patch(twistedinternals, "_OF_TLS", ("_tlsConnection", "_another_name"))
        pair = self.pair()
        self.assertEqual(pair.send, pair.tls.write)
        pair.send(b"abc")
        pair.pass_on()
        self.assertEqual(pair.heard, b"abc")

    def test_over_another(self) -> None:
        """TLS over anything but TCP is written to as always."""
        pair = Pair(self.files, SSL.TLS1_3_VERSION, StringTransport())
        self.assertEqual(pair.send, pair.tls.write)
