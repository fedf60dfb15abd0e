"""Tests for L{llmproxy.upstream.upload}, on connections in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.upstream.upload import AT_HAND_LIMIT, BodyLengthMismatch, Upload

from .wire import EMPTY, Body, Socket, Wire


class UploadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()

    def sending(self, body: Any, **request: Any) -> tuple[Any, Socket]:
        responding = self.wire.request(method=b"POST", data=body, **request)
        return responding, self.wire.accept()

    def test_interfaces(self) -> None:
        """Bodies can write to it, and the transport can pause it."""
        upload = Upload(None, Body(), 0)  # type: ignore[arg-type]
        verifyObject(IConsumer, upload)
        verifyObject(IPushProducer, upload)
        self.assertRaises(NotImplementedError, upload.registerProducer, None, True)
        self.assertRaises(NotImplementedError, upload.unregisterProducer)

    def test_at_hand(self) -> None:
        """What is at hand goes out together with its head."""
        _, socket = self.sending(BytesBody(b"abc"))
        self.assertTrue(socket.heard().endswith(b"Content-Length: 3\r\n\r\nabc"))
        self.assertIsNone(socket.producer)

    def test_as_it_comes(self) -> None:
        """What is not follows as it comes."""
        body = Body(6)
        _, socket = self.sending(body)
        self.assertTrue(socket.heard().endswith(b"Content-Length: 6\r\n\r\n"))
        body.write(b"abc")
        self.assertEqual(socket.heard(), b"abc")
        body.write(b"def")
        body.finish()
        self.assertEqual((socket.heard(), socket.producer), (b"def", None))

    def test_large(self) -> None:
        """The head of a large one does not wait for it."""
        body = Body(AT_HAND_LIMIT + 1)
        _, socket = self.sending(body)
        self.assertTrue(socket.heard().endswith(b"\r\n\r\n"))
        self.assertTrue(body.started)

    def test_chunks(self) -> None:
        """RFC 9112 section 7.1: a body of unknown length goes in chunks, and an empty write is not the last one."""
        body = Body()
        _, socket = self.sending(body)
        self.assertIn(b"Transfer-Encoding: chunked\r\n", socket.heard())
        body.write(b"0123456789")
        body.write(b"")
        self.assertEqual(socket.heard(), b"a\r\n0123456789\r\n")
        body.finish()
        self.assertEqual(socket.heard(), b"0\r\n\r\n")

    def test_trailers(self) -> None:
        """What the body has to say at its end is said."""
        body = Body()
        body.trailers = [(b"X-Sum", b"1")]  # type: ignore[attr-defined]
        _, socket = self.sending(body)
        socket.heard()
        body.finish()
        self.assertEqual(socket.heard(), b"0\r\nX-Sum: 1\r\n\r\n")

    def test_mismatch(self) -> None:
        """A body that does not keep to its length fails the request: neither more nor less goes out as a whole one."""
        for content, stopped in ((b"abcd", 1), (b"ab", 0)):
            self.wire = Wire()
            body = Body(3)
            responding, socket = self.sending(body)
            body.write(content)
            if not stopped:
                body.finish()
            self.failureResultOf(responding, BodyLengthMismatch)
            self.assertEqual((socket.aborted, body.stopped), (True, stopped), (content, stopped))
            self.assertNotIn(b"abcd", socket.heard())

    def test_fails_at_its_start(self) -> None:
        """One that cannot even begin fails the request with its own reason."""

        class Broken(Body):
            def startProducing(self, consumer: Any) -> Any:
                raise ZeroDivisionError

        responding, socket = self.sending(Broken())
        self.failureResultOf(responding, ZeroDivisionError)
        self.assertTrue(socket.aborted)

    def test_backpressure(self) -> None:
        """An upstream that takes nothing more has the body pause."""
        body = Body()
        _, socket = self.sending(body)
        producer: Any = socket.producer
        producer.pauseProducing()
        self.assertTrue(body.paused)
        producer.resumeProducing()
        self.assertFalse(body.paused)
        body.finish()
        producer.pauseProducing()
        self.assertFalse(body.paused)

    def test_answered_early(self) -> None:
        """A refusal stops it, and nothing is sent after that."""
        body = Body()
        responding, socket = self.sending(body)
        socket.heard()
        socket.say(EMPTY.replace(b"200 OK", b"403 No"))
        self.successResultOf(responding)
        self.assertEqual(body.stopped, 1)
        body.write(b"abc")
        self.assertEqual(socket.heard(), b"")

    def test_cancelled(self) -> None:
        """Who leaves stops it."""
        body = Body()
        responding, socket = self.sending(body)
        responding.addErrback(lambda _: None)
        responding.cancel()
        self.assertEqual((body.stopped, socket.aborted), (1, True))
        body.done.callback(None)
