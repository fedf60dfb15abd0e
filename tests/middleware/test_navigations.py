"""An API beside pages of ours: what a browser shows of it is in a sandbox."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import ApiRequest, ApiResponse
from llmproxy.middleware.navigations import SandboxNavigations

from .fakes import a_request

SANDBOX = [(b"Content-Security-Policy", b"sandbox"), (b"X-Content-Type-Options", b"nosniff")]


class NavigationTests(SynchronousTestCase):
    def answer(self, destination: bytes | None, kind: bytes) -> list[tuple[bytes, bytes]]:
        fields = [] if destination is None else [(b"Sec-Fetch-Dest", destination)]
        own = [(b"Content-Type", kind), (b"Content-Security-Policy", b"default-src *")]

        def inner(request: ApiRequest) -> Deferred[ApiResponse]:
            return succeed(ApiResponse(200, b"OK", list(own)))

        responding = SandboxNavigations().respond(a_request(fields=fields), inner)
        answered = self.successResultOf(responding).fields
        self.assertEqual(answered[:2], own)
        return answered[2:]

    def test_documents(self) -> None:
        """What becomes a document has no origin, whatever upstream says besides."""
        for destination in (b"document", b"iframe", b"frame", b"object", b"embed", b"Document"):
            self.assertEqual(self.answer(destination, b"application/json"), SANDBOX, destination)

    def test_programs(self) -> None:
        """What a program asks for is as upstream says."""
        for destination in (b"empty", b"script", b"image", None):
            self.assertEqual(self.answer(destination, b"application/json"), [], destination)

    def test_in_clear(self) -> None:
        """A browser that says nothing of the destination, as it came in clear, gets no page of an API either."""
        for kind in (b"text/html; charset=utf-8", b"image/svg+xml", b"application/xhtml+xml", b"text/xml"):
            self.assertEqual(self.answer(None, kind), SANDBOX, kind)
        self.assertEqual(self.answer(b"empty", b"text/html"), [])
