"""Tests for L{llmproxy.web.readonly}."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.health import Health, Live, Ready
from llmproxy.web.metrics import MetricsResource
from llmproxy.web.readonly import ReadOnlyResource

from .wire import Client


class Page(ReadOnlyResource):
    def render_GET(self, request: Any) -> bytes:
        return b"page"


def _resources() -> list[ReadOnlyResource]:
    metrics = MetricsResource(lambda: 0.0, Deferred, lambda histogram: ())
    return [Page(), Health(lambda: 0.0), Live(), Ready([], lambda: False), metrics]


def _asked(resource: ReadOnlyResource, method: bytes, target: bytes = b"/") -> tuple[bytes, bytes]:
    client = Client(resource)
    client.send(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    head, _, body = client.received.partition(b"\r\n\r\n")
    return head, body


class ReadOnlyTests(SynchronousTestCase):
    def test_other_methods(self) -> None:
        """Whatever the method, known to twisted.web or not: 405, C{Allow}, JSON, and no page."""
        for resource in _resources():
            for method in (b"POST", b"PUT", b"PATCH", b"DELETE", b"TRACE", b"get", b"FOO"):
                head, body = _asked(resource, method)
                self.assertTrue(head.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n"), (resource, method, head))
                self.assertIn(b"\r\nAllow: GET, HEAD, OPTIONS\r\n", head)
                self.assertIn(b"\r\nContent-Type: application/json\r\n", head)
                self.assertEqual(json.loads(body)["code"], "method_not_allowed", method)

    def test_options(self) -> None:
        """OPTIONS is answered as the management API answers it."""
        for resource in _resources():
            head, body = _asked(resource, b"OPTIONS")
            self.assertTrue(head.startswith(b"HTTP/1.1 204 "), head)
            self.assertEqual((b"\r\nAllow: GET, HEAD, OPTIONS\r\n" in head, body), (True, b""), resource)

    def test_read(self) -> None:
        """GET and HEAD are the resource's own."""
        self.assertEqual(_asked(Page(), b"GET")[1], b"page")
        self.assertEqual(_asked(Page(), b"HEAD")[1], b"")

    def test_below(self) -> None:
        """What is not there is not a page either."""
        for resource in _resources():
            resource.isLeaf = False
            head, body = _asked(resource, b"GET", b"/nothing/here")
            self.assertTrue(head.startswith(b"HTTP/1.1 404 "), head)
            self.assertEqual(json.loads(body)["code"], "not_found", resource)
