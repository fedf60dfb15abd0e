"""Tests for L{llmproxy.upstream.http2.upload}."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface.verify import verifyObject

from llmproxy.upstream.http2.upload import StreamUpload
from llmproxy.upstream.upload import AT_HAND_LIMIT, BodyLengthMismatch

from ..wire import Body


class Outlet:
    """A stream that has room for so much."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sent = b""
        self.failed: list[Failure] = []
        self.upload: Any = None

    def ready(self) -> None:
        while self.upload is not None and self.room:
            piece = bytes(self.upload.take(self.room))
            self.upload.go_on()
            if not piece:
                return
            self.room -= len(piece)
            self.sent += piece

    def upload_failed(self, reason: Failure) -> None:
        self.failed.append(reason)


class StreamUploadTests(SynchronousTestCase):
    def begun(self, body: Body, room: int = 10**9) -> tuple[StreamUpload, Outlet]:
        outlet = Outlet(room)
        upload = outlet.upload = StreamUpload(outlet, body, body.length)
        verifyObject(IConsumer, upload)
        upload.start()
        return upload, outlet

    def test_room(self) -> None:
        """A piece that does not fit waits in its place, and its body is paused; nothing is lost or sent twice."""
        body = Body()
        upload, outlet = self.begun(body, 5)
        body.write(b"abcdefgh")
        self.assertEqual((outlet.sent, body.paused, upload.is_over), (b"abcde", True, False))
        outlet.room = 2
        outlet.ready()
        self.assertTrue(body.paused)
        outlet.room = 2
        outlet.ready()
        self.assertEqual((outlet.sent, body.paused), (b"abcdefgh", False))
        body.finish()
        self.assertTrue(upload.is_over)

    def test_kept(self) -> None:
        """Small content that is all there at once is kept, to be sent again; other content is not."""
        for length, size, ends, kept in (
            (3, 3, True, b"xxx"),
            (3, 3, False, b"xxx"),
            (UNKNOWN_LENGTH, 3, True, None),
            (AT_HAND_LIMIT + 1, AT_HAND_LIMIT + 1, True, None),
            (3, 2, False, None),
        ):
            body = Body(length, at_once=b"x" * size)
            if ends:
                body.finish()
            upload, _ = self.begun(body)
            self.assertEqual(upload.kept, kept, (length, size))

    def test_length(self) -> None:
        """More or less than was announced is a fault."""
        for pieces, stopped in (([b"xx", b"xx"], 1), ([b"xx"], 0)):
            body = Body(3)
            _, outlet = self.begun(body)
            for piece in pieces:
                body.write(piece)
            if not stopped:
                body.finish()
            self.assertTrue(outlet.failed[0].check(BodyLengthMismatch), pieces)
            self.assertEqual(body.stopped, stopped, pieces)

    def test_stopped(self) -> None:
        """Nothing more is taken, and the body knows; one whose end has been taken does not hear of it."""
        body = Body()
        upload, outlet = self.begun(body, 0)
        body.write(b"x")
        upload.stop()
        body.write(b"y")
        self.assertEqual((body.stopped, outlet.sent, upload.waits), (1, b"", False))
        body = Body(1)
        upload, _ = self.begun(body)
        body.write(b"x")
        upload.stop()
        self.assertEqual(body.stopped, 0)

    def test_broken(self) -> None:
        """A body that cannot be started fails the request."""

        class Broken(Body):
            def startProducing(self, consumer: Any) -> Any:
                raise ZeroDivisionError

        _, outlet = self.begun(Broken())
        self.assertTrue(outlet.failed[0].check(ZeroDivisionError))

    def test_asked(self) -> None:
        """It is started once, by the word or by the time; not any more once nothing will be sent here."""
        body, calls = Body(), []
        upload = StreamUpload(Outlet(9), body, body.length)
        upload.ask(lambda proceed: calls.append(proceed))
        self.assertFalse(body.started)
        upload.proceed()
        calls[0]()
        self.assertTrue(body.started)
        body = Body()
        upload = StreamUpload(Outlet(9), body, body.length)
        upload.ask(lambda proceed: calls.append(proceed))
        upload.detach()
        calls[1]()
        self.assertEqual((body.started, body.stopped), (False, 0))
