"""Requests for pages as bytes."""

from __future__ import annotations

import gzip

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.admin.exchange import PageExchange

from .browser import PagesTestCase


class ExchangeTests(PagesTestCase):
    def test_too_large(self) -> None:
        """A form that is longer than any is refused, and so is one of too many fields."""
        self.sign_in()
        for data in ({"name": "x" * 300_000}, {f"n{at}": "1" for at in range(600)}):
            self.assertIn(self.visit("/projects/new", data).status, (400, 413), len(data))

    def test_odd_queries(self) -> None:
        """Whatever stands behind the question mark, a page comes."""
        self.sign_in()
        for query in ("?%00", "?a&a&a", "?" + "&".join(f"a{at}=1" for at in range(200)), "?search=%ff%fe", "?=&&="):
            self.assertEqual(self.visit("/projects" + query).status, 200, query[:20])


class PackedTests(SynchronousTestCase):
    def sent(self, accepted: bytes, length: int) -> DummyRequest:
        request = DummyRequest([])
        request.uri, request.prepath = b"/admin/x", [b"admin"]
        request.requestHeaders.setRawHeaders(b"Accept-Encoding", [accepted])
        request.isSecure = lambda: False  # type: ignore[method-assign]
        PageExchange(request, None).send(200, b"text/html", b"x" * length)  # type: ignore[arg-type]
        return request

    def test_packed(self) -> None:
        """What is long is packed for browsers that take it so."""
        for accepted, length, packed in (
            (b"gzip", 5000, True),
            (b"br, gzip;q=0.5", 5000, True),
            (b"gzip;q=0", 5000, False),
            (b"deflate", 5000, False),
            (b"", 5000, False),
            (b"gzip", 100, False),
        ):
            request = self.sent(accepted, length)
            body = b"".join(request.written)
            self.assertEqual(request.responseHeaders.hasHeader(b"Content-Encoding"), packed, (accepted, length))
            self.assertEqual(gzip.decompress(body) if packed else body, b"x" * length, (accepted, length))
            self.assertEqual(
                request.responseHeaders.getRawHeaders(b"Content-Length"), [b"%d" % len(body)], (accepted, length)
            )
