"""Tests for L{llmproxy.web.basicrequest}, over both versions of HTTP: a request is answered in one of two ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from llmproxy.web.resources import StreamingResource

from .http2wire import Http2Client
from .wire import Client, Streaming, get


def answered(resource: Resource) -> list[bytes]:
    """The content that clients of both versions get."""
    old, new = Client(resource), Http2Client(resource)
    old.send(get())
    stream = new.get("/")
    return [old.received.partition(b"\r\n\r\n")[2], new.contents.get(stream, b"")]


class Rendering(Resource):
    isLeaf = True

    def __init__(self, render: Callable[[Any], Any]) -> None:
        super().__init__()
        self.answer = render

    def render(self, request: Any) -> Any:
        return self.answer(request)


class RequestTests(SynchronousTestCase):
    def test_two_ways(self) -> None:
        """What twisted.web's resources answer and what is written exactly comes to the same."""

        def exact(request: Any) -> int:
            request.write_whole(200, b"OK", [], 2, b"ok")
            return NOT_DONE_YET

        for render in (lambda request: b"ok", exact):
            self.assertEqual(answered(Rendering(render)), [b"ok", b"ok"], render)

    def test_streams_answer_themselves(self) -> None:
        """A streaming resource that returns its answer, or fails, gets 500 in its place."""

        class Wrong(StreamingResource):
            isLeaf = True

            def render(self, request: Any) -> bytes:
                return b"never seen"

        old = Client(Wrong())
        old.send(get())
        self.assertEqual((old.status, b"never seen" in old.received), (500, False))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_too_late(self) -> None:
        """Nothing is written after the end, or to a client that has left."""
        client = Client(resource := Streaming())
        client.send(get())
        resource.seen[0].answer()
        self.assertRaises(RuntimeError, resource.seen[0].request.write, b"more")
        client.send(get())
        client.leave()
        resource.seen[1].answer()
        self.assertEqual(client.received.count(b"HTTP/1.1 200"), 1)
