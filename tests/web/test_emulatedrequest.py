"""Tests for L{llmproxy.web.emulatedrequest}, over both versions of HTTP: an ordinary resource sees the same request."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from .http2wire import Http2Client
from .wire import Client, get


class Asking(Resource):
    """Notes what twisted.web's resources ask a request for."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def render(self, request: Any) -> bytes:
        self.seen.append(
            (
                request.path,
                request.postpath,
                request.args,
                request.getHeader("x-a"),
                request.getCookie(b"c"),
                request.getClientAddress().host,
                request.isSecure(),
                request.content.read(),
            )
        )
        request.setHeader(b"x-b", b"1")
        request.addCookie(b"d", b"2")
        return b"ok"


class LazyTests(SynchronousTestCase):
    def test_alike(self) -> None:
        """Path, arguments, fields, cookies and addresses are there, and so is what the resource sets."""
        resource = Asking()
        old, new = Client(resource), Http2Client(resource)
        old.send(get(b"/a%2Fb/c?x=1&x=2", b"X-A: y", b"Cookie: c=3"))
        stream = new.get("/a%2Fb/c?x=1&x=2", ("x-a", "y"), ("cookie", "c=3"))
        self.assertEqual(resource.seen[0], resource.seen[1])
        self.assertEqual(resource.seen[0][1:5], ([b"a/b", b"c"], {b"x": [b"1", b"2"]}, "y", b"3"))
        self.assertEqual((new.heads[stream][b"x-b"], new.contents[stream]), (b"1", b"ok"))
        self.assertIn(b"\r\nx-b: 1\r\n", old.received.lower())
        self.assertEqual((new.heads[stream][b"content-length"], new.heads[stream][b"set-cookie"]), (b"2", b"d=2"))
