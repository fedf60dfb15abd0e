"""Tests for L{llmproxy.web.spooled}; tests/integration/test_http2.py has a client that speaks HTTP/2."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.limits import Limits
from llmproxy.web.site import ProxySite
from llmproxy.web.spooled import SpooledRequest

from .wire import Whole


class Stream:
    """
    A stream of HTTP/2, as a request sees it.

    @ivar heads: statuses that were written.
    """

    def __init__(self, site: ProxySite) -> None:
        self.site = site
        self.transport = self
        self.heads: list[bytes] = []
        self.aborted = 0

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        self.heads.append(code)

    def abortConnection(self) -> None:
        self.aborted += 1

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.7", 40_000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.99", 443)


class SpooledRequestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.refusals: list[Any] = []
        site = ProxySite(
            Whole(),
            reactor=self.clock,
            limits=Limits(spooled=10),
            on_refusal=lambda *refusal: self.refusals.append(refusal),
        )
        self.stream = Stream(site)
        self.request = SpooledRequest(self.stream, queued=False)
        self.request.gotLength(None)

    def test_within(self) -> None:
        """Up to the limit content is collected, as twisted.web does."""
        self.request.handleContentChunk(b"x" * 4)
        self.request.handleContentChunk(b"y" * 6)
        self.request.content.seek(0)
        self.assertEqual((self.request.content.read(), self.refusals), (b"xxxxyyyyyy", []))

    def test_beyond(self) -> None:
        """Beyond it the client is told once and its stream is reset; nothing more is kept, and nobody is asked."""
        for _ in range(5):
            self.request.handleContentChunk(b"x" * 6)
        self.request.requestReceived(b"POST", b"/", b"HTTP/2")
        self.assertEqual((self.stream.heads, self.stream.aborted), ([], 0))
        self.clock.advance(0)
        self.assertEqual((self.stream.heads, self.stream.aborted), ([b"413"], 1))
        self.assertEqual(self.refusals, [(413, "content_too_large", "192.0.2.7", "request body is too large")])
        self.assertEqual(self.request.content.tell(), 6)

    def test_left(self) -> None:
        """A client that has left meanwhile is told nothing."""
        self.request.handleContentChunk(b"x" * 11)
        self.request._disconnected = True
        self.clock.advance(0)
        self.assertEqual((self.stream.heads, self.stream.aborted), ([], 0))
