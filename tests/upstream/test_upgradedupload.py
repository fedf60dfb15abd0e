"""Tests for L{llmproxy.upstream.upgradedupload}; tests/web/http1/test_upgradedclient.py has both ends together."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IConsumer
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.upstream.upgradedupload import Switched

from .wire import Reader, Wire

ASKED = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class SwitchedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        responding = self.wire.request(fields=ASKED, upgrade=True)
        self.socket = self.wire.accept()
        self.socket.heard()
        self.socket.say(AGREED)
        self.response = self.successResultOf(responding)
        self.switched = self.response.upgraded

    def test_agreed(self) -> None:
        """Who asked for another protocol gets something to write it to, and only with a 101."""
        verifyObject(IConsumer, self.switched)
        self.assertIsInstance(self.switched, Switched)
        other = self.wire.request(fields=ASKED, upgrade=True)
        self.wire.accept().say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertIsNone(self.successResultOf(other).upgraded)

    def test_bytes(self) -> None:
        """What the client writes arrives as it is: no chunks, no framing; and what upstream says is the body."""
        reader = Reader()
        self.response.body.startProducing(reader)
        self.switched.write(b"\x81\x05hello")
        self.socket.say(b"\x81\x02", b"ok")
        self.assertEqual((self.socket.heard(), reader.data), (b"\x81\x05hello", b"\x81\x02ok"))

    def test_slow_upstream(self) -> None:
        """The transport itself holds back who writes, as long as it is registered."""
        producer = StringTransport()
        self.switched.registerProducer(producer, True)
        self.assertIs(self.socket.producer, producer)
        self.switched.unregisterProducer()
        self.assertIsNone(self.socket.producer)

    def test_given_up(self) -> None:
        """Who stops the body closes the connection, with a word to upstream: nobody else gets it from the pool."""
        ended = self.response.body.startProducing(Reader())
        self.response.body.stopProducing()
        self.assertEqual(self.socket.heard()[:2], b"\x88\x82")
        self.wire.turn()
        self.assertFalse(self.socket.aborted)
        self.assertNoResult(ended)
        self.wire.request()
        self.assertEqual(len(self.wire.attempts), 2)
        self.switched.write(b"late")
        self.assertEqual(self.socket.heard(), b"")

    def test_no_word(self) -> None:
        """For a client that has left without a word, within a frame, or in another protocol, it is cut."""
        for fields, last in (
            (ASKED, None),
            (ASKED, b"\x81\x05hel"),
            ([(b"Connection", b"Upgrade"), (b"Upgrade", b"other")], b""),
        ):
            responding = self.wire.request(fields=fields, upgrade=True)
            socket = self.wire.accept()
            socket.say(AGREED.replace(b"websocket", fields[1][1]))
            response = self.successResultOf(responding)
            if last is None:
                response.upgraded.unregisterProducer()
            else:
                response.upgraded.write(last)
            socket.heard()
            response.body.stopProducing()
            self.wire.turn()
            self.assertEqual((socket.aborted, socket.heard()), (True, b""), (fields, last))

    def test_connection_is_lost(self) -> None:
        """Writing after upstream has gone is no error: the body tells of it."""
        ended = self.response.body.startProducing(Reader())
        self.socket.end(ConnectionAborted())
        self.switched.write(b"x")
        self.assertTrue(ended.called)
        ended.addErrback(lambda reason: None)
