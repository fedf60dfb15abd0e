"""Tests for L{llmproxy.upstream.body}, on connections in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.errors import UpstreamProtocolError, UpstreamReset

from ..tables import row
from .wire import Reader, Socket, Wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class UpstreamBodyTests(SynchronousTestCase):
    def answered(self, *pieces: bytes) -> tuple[Any, Socket]:
        """The body of an answer of which these pieces have come, and upstream's socket."""
        self.wire = Wire()
        responding = self.wire.request()
        socket = self.wire.accept()
        socket.say(*pieces)
        return self.successResultOf(responding).body, socket

    def test_interface(self) -> None:
        """It is a body like any other."""
        body, _ = self.answered(HEAD)
        verifyObject(IBodyProducer, body)
        self.assertEqual(body.length, 6)
        self.assertIs(self.answered(CHUNKED)[0].length, UNKNOWN_LENGTH)

    def test_waits_for_its_reader(self) -> None:
        """Until somebody reads, upstream is not read from, and what came with the head waits."""
        body, socket = self.answered(HEAD + b"abc")
        self.assertTrue(socket.paused)
        reader = Reader()
        producing = body.startProducing(reader)
        self.assertEqual((reader.data, socket.paused), (b"abc", False))
        socket.say(b"d", b"ef")
        self.successResultOf(producing)
        self.assertEqual(reader.chunks, [b"abc", b"d", b"ef"])

    def test_rest_of_a_read(self) -> None:
        """What TLS delivers in spite of the pause waits too."""
        body, socket = self.answered(HEAD + b"ab", b"cd")
        reader = Reader()
        body.startProducing(reader)
        self.assertEqual(reader.data, b"abcd")
        socket.say(b"ef")
        self.assertEqual(self.wire.client.pool.idle, 1)

    def test_at_hand(self) -> None:
        """A body that has come whole is read at once, and its connection serves others already."""
        body, _ = self.answered(HEAD + b"abcdef")
        self.assertEqual((body.at_hand, self.wire.client.pool.idle), (True, 1))
        reader = Reader()
        self.successResultOf(body.startProducing(reader))
        self.assertEqual(reader.data, b"abcdef")

    def test_ended_before_it_is_read(self) -> None:
        """An end that came before the reader is told to it, good or bad."""
        body, socket = self.answered(HEAD + b"abc")
        socket.say(b"def")
        self.successResultOf(body.startProducing(Reader()))
        body, socket = self.answered(HEAD + b"abc")
        socket.hang_up()
        reader = Reader()
        self.failureResultOf(body.startProducing(reader), UpstreamReset)
        self.assertEqual(reader.data, b"abc")

    def test_once(self) -> None:
        """There is one reader."""
        body, _ = self.answered(HEAD)
        body.startProducing(Reader())
        self.assertRaises(RuntimeError, body.startProducing, Reader())

    def test_backpressure(self) -> None:
        """A reader that pauses has upstream not read from."""
        body, socket = self.answered(HEAD)
        body.startProducing(Reader())
        body.pauseProducing()
        self.assertTrue(socket.paused)
        body.resumeProducing()
        self.assertFalse(socket.paused)

    def test_paused_before_its_start(self) -> None:
        """A reader that cannot take anything yet may say so first; resuming alone starts nothing."""
        body, socket = self.answered(HEAD)
        body.resumeProducing()
        self.assertTrue(socket.paused)
        body.pauseProducing()
        body.startProducing(Reader())
        self.assertTrue(socket.paused)
        body.resumeProducing()
        self.assertFalse(socket.paused)

    def test_paused_within_its_start(self) -> None:
        """Also while it takes what came with the head."""
        body, socket = self.answered(HEAD + b"abc")
        body.startProducing(Reader(lambda _: body.pauseProducing()))
        self.assertTrue(socket.paused)

    def test_cut(self) -> None:
        """A part is not the whole."""
        for answer in (HEAD + b"abc", CHUNKED + b"3\r\nabc\r\n"):
            body, socket = self.answered(answer)
            producing = body.startProducing(Reader())
            socket.hang_up()
            self.failureResultOf(producing, UpstreamReset)

    def test_malformed(self) -> None:
        """Chunks that are none end it, and the connection."""
        body, socket = self.answered(CHUNKED)
        producing = body.startProducing(Reader())
        socket.say(b"zz\r\n")
        self.failureResultOf(producing, UpstreamProtocolError)
        self.assertTrue(socket.aborted)

    def test_stopped(self) -> None:
        """Who stops it closes the connection at once, whether it was read or not; it hears nothing more."""
        for started in (True, False):
            body, socket = self.answered(HEAD + b"a")
            reader = Reader()
            producing = body.startProducing(reader) if started else None
            body.stopProducing()
            body.stopProducing()
            self.assertTrue(socket.aborted, started)
            self.wire.turn()
            self.assertEqual(self.wire.client.pool.connections, 0, started)
            if producing is not None:
                with row(started):
                    self.assertNoResult(producing)
                self.assertEqual(reader.data, b"a", started)

    def test_stopped_within_a_write(self) -> None:
        """Also while it is given something."""
        body, socket = self.answered(HEAD)
        body.startProducing(Reader(lambda _: body.stopProducing()))
        socket.say(b"abc")
        self.assertTrue(socket.aborted)

    def test_cancelled(self) -> None:
        """Cancelling is stopping."""
        body, socket = self.answered(HEAD)
        producing = body.startProducing(Reader())
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        self.assertTrue(socket.aborted)

    def test_stopped_when_whole(self) -> None:
        """A body that has come whole can be dropped without harm to the connection."""
        body, socket = self.answered(HEAD + b"abcdef")
        body.stopProducing()
        self.assertEqual((socket.open, self.wire.client.pool.idle), (True, 1))
