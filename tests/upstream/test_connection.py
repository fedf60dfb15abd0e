"""Tests for L{llmproxy.upstream.connection}: what becomes of a connection after each way an exchange can go."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHandshakeListener, ITCPTransport
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy.errors import UpstreamProtocolError, UpstreamReset
from llmproxy.net.poller import Poller
from llmproxy.upstream.connection import Connection

from ..tables import row
from .wire import EMPTY, Body, Owner, Reader, Socket, Wire

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\n"


@implementer(ITCPTransport)
class TcpSocket(Socket):
    """Plain TCP, as far as can be asked."""


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()

    def asked(self, **request: Any) -> tuple[Any, Socket]:
        responding = self.wire.request(**request)
        return responding, self.wire.accept()

    def idle(self) -> int:
        return self.wire.client.pool.idle

    def test_interface(self) -> None:
        """TLS can tell it that the handshake is over."""
        verifyObject(IHandshakeListener, Connection(Owner(), poller=Poller(None)))

    def test_at_once(self) -> None:
        """What is said to upstream waits for no acknowledgement of what was said before, and a dead peer is noticed."""
        socket = TcpSocket(Clock(), Connection(Owner(), poller=Poller(None)))
        self.assertEqual((socket.no_delay, socket.keeps_alive), (True, True))

    def test_kept(self) -> None:
        """After a whole answer to a whole request it serves the next one."""
        responding, socket = self.asked()
        socket.say(EMPTY)
        self.successResultOf(responding)
        self.assertEqual((socket.open, self.idle()), (True, 1))

    def test_paused_at_the_end(self) -> None:
        """After a reader that fell behind at the last piece, the next request on the connection gets its answer."""
        responding, socket = self.asked()
        socket.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        body = self.successResultOf(responding).body
        producing = body.startProducing(Reader(lambda data: body.pauseProducing() if data == b"lf" else None))
        socket.say(b"lf")
        self.successResultOf(producing)
        self.assertEqual((socket.paused, self.idle()), (False, 1))

    def test_unread_at_the_end(self) -> None:
        """So it does if the answer came whole before anybody began to read it, as over TLS it may."""
        responding, socket = self.asked()
        socket.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        body = self.successResultOf(responding).body
        self.assertTrue(socket.paused)
        socket.say(b"lf")
        self.assertEqual((socket.paused, self.idle()), (False, 1))
        reader = Reader()
        self.successResultOf(body.startProducing(reader))
        self.assertEqual(reader.data, b"half")

    def test_closed_as_upstream_says(self) -> None:
        """If upstream wants it closed it is closed, in order."""
        responding, socket = self.asked()
        socket.say(CLOSING)
        self.successResultOf(responding)
        self.assertEqual((socket.closed, self.idle()), (True, 0))

    def test_unasked(self) -> None:
        """RFC 9112 section 9.2: what comes when nobody has asked is nobody's answer, and its connection ends."""
        for nonsense in (EMPTY, b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"\r\n", b"x"):
            self.wire = Wire()
            responding, socket = self.asked()
            socket.say(EMPTY)
            self.successResultOf(responding)
            socket.say(nonsense)
            self.assertTrue(socket.aborted, nonsense)
            self.wire.turn()
            again, other = self.asked()
            with row(nonsense):
                self.assertNoResult(again)
            self.assertIsNot(other, socket)

    def test_more_than_the_answer(self) -> None:
        """What follows an answer in the same read spoils the connection, and not the answer."""
        responding, socket = self.asked()
        socket.say(EMPTY + EMPTY)
        self.assertEqual(self.successResultOf(responding).code, 200)
        self.assertEqual((socket.open, self.idle()), (False, 0))

    def test_malformed(self) -> None:
        """What is no answer fails the request, and is not read any further."""
        responding, socket = self.asked()
        socket.say(b"HTTP/1.1 2 OK\r\n\r\n")
        self.failureResultOf(responding, UpstreamProtocolError)
        self.assertTrue(socket.aborted)

    def test_endless_head(self) -> None:
        """A head has a bound, which the operator may set."""
        self.wire = Wire(max_response_head=2000)
        responding, socket = self.asked()
        socket.say(b"HTTP/1.1 200 OK\r\nA: ", *[b"x" * 500] * 5)
        self.failureResultOf(responding, UpstreamProtocolError)
        self.assertTrue(socket.aborted)

    def test_lost_before_the_answer(self) -> None:
        """A connection that was new and is lost has the request fail, once."""
        for lose in (Socket.hang_up, Socket.reset):
            responding, socket = self.asked()
            lose(socket)
            self.failureResultOf(responding, UpstreamReset)

    def test_early_answer(self) -> None:
        """An answer that refuses the upload stops it; its connection cannot serve another request."""
        body = Body(100)
        responding, socket = self.asked(method=b"POST", data=body)
        body.write(b"some")
        socket.say(EARLY)
        response = self.successResultOf(responding)
        self.assertEqual((response.code, body.stopped), (413, 1))
        reader = Reader()
        producing = response.body.startProducing(reader)
        socket.say(b"big")
        self.successResultOf(producing)
        self.assertEqual((reader.data, socket.open, self.idle()), (b"big", False, 0))

    def test_answer_while_uploading(self) -> None:
        """An answer that welcomes it does not: both go on, and then the connection is kept."""
        body = Body(6)
        responding, socket = self.asked(method=b"POST", data=body)
        body.write(b"abc")
        socket.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        response = self.successResultOf(responding)
        self.assertEqual(body.stopped, 0)
        body.write(b"def")
        body.finish()
        producing = response.body.startProducing(Reader())
        socket.say(b"lf")
        self.successResultOf(producing)
        self.assertTrue(socket.heard().endswith(b"abcdef"))
        self.assertEqual((body.stopped, self.idle()), (0, 1))

    def test_upload_fails(self) -> None:
        """Upstream does not get the end of an upload that breaks: it must not take a part for the whole."""
        body = Body()
        responding, socket = self.asked(method=b"POST", data=body)
        body.write(b"some")
        body.done.errback(ZeroDivisionError())
        self.failureResultOf(responding, ZeroDivisionError)
        self.assertTrue(socket.aborted)
        self.assertNotIn(b"0\r\n\r\n", socket.heard())

    def test_lost_while_uploading(self) -> None:
        """An upload is stopped when its connection is gone."""
        body = Body()
        responding, socket = self.asked(method=b"POST", data=body)
        socket.hang_up()
        self.failureResultOf(responding, UpstreamReset)
        self.assertEqual(body.stopped, 1)

    def test_late_loss(self) -> None:
        """Its end after everything else is no news."""
        responding, socket = self.asked()
        socket.say(EMPTY)
        self.successResultOf(responding)
        socket.hang_up()
        self.assertEqual((self.idle(), self.wire.client.pool.connections), (0, 0))
        self.assertEqual(self.wire.quiet(), [])
