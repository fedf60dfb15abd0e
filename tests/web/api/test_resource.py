"""Tests for L{llmproxy.web.api.resource}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from llmproxy.bodies import BytesBody
from llmproxy.message import ApiRequest, ApiResponse
from llmproxy.web.api.resource import ProxyResource, parted

from ..downstream import Downstream
from ..wire import Client, get


class PartedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A mounted proxy sees the target as it came, without the segments that lead to it."""
        for target, depth, expected in (
            (b"/llm/v1/models", 1, (b"/llm", b"/v1/models")),
            (b"/a/b/v1/x%2Fy?q=/a/b", 2, (b"/a/b", b"/v1/x%2Fy?q=/a/b")),
            (b"/llm", 1, (b"/llm", b"/")),
            (b"/llm?x=1", 1, (b"/llm", b"/?x=1")),
            (b"/llm/", 1, (b"/llm", b"/")),
        ):
            self.assertEqual(parted(target, depth), expected, (target, depth))


class ProxyResourceTests(SynchronousTestCase):
    def render(self, downstream: Downstream, depth: int = 0) -> ApiRequest:
        requests: list[ApiRequest] = []

        def respond(request: ApiRequest) -> Deferred[ApiResponse]:
            requests.append(request)
            return Deferred()

        resource = ProxyResource(lambda: 12.5, respond, depth)
        resource.serve(downstream)
        [request] = requests
        return request

    def test_as_it_came(self) -> None:
        """Method, target, fields and body reach the chain as they came."""
        fields, body = [(b"hOST", b"x"), (b"Accept", b"*/*")], BytesBody(b"{}")
        request = self.render(Downstream(b"BREW", b"/v1/a%2Fb?key=s", fields, body))
        self.assertEqual((request.method, request.target, request.version), (b"BREW", b"/v1/a%2Fb?key=s", b"HTTP/1.1"))
        self.assertEqual(request.fields, fields)
        self.assertIs(request.body, body)

    def test_record(self) -> None:
        """The record knows who and what, and nothing of the query, where credentials may be."""
        record = self.render(Downstream(b"POST", b"/v1/x?key=s", [(b"X-Request-Id", b"mine")])).record
        self.assertEqual(
            (record.request_id, record.method, record.path, record.client, record.started_at),
            ("mine", "POST", "/v1/x", "192.0.2.7", 12.5),
        )

    def test_mounted(self) -> None:
        """Below a path of somebody else's site the proxy sees its own part of it."""
        request = self.render(Downstream(b"GET", b"/llm/v1/models"), depth=1)
        self.assertEqual((request.target, request.record.path), (b"/v1/models", "/v1/models"))

    def test_rendered(self) -> None:
        """A request of our own channels is served as it is, one of a stock site by its own face."""
        seen: list[ApiRequest] = []

        def respond(request: ApiRequest) -> Deferred[ApiResponse]:
            seen.append(request)
            return Deferred()

        resource = ProxyResource(lambda: 12.5, respond)
        client = Client(resource)
        client.send(get(b"/v1/x", b"x-ODD: 1"))
        stock: Any = Site(resource, reactor=Clock()).buildProtocol(None)
        stock.callLater = Clock().callLater
        stock.makeConnection(StringTransport())
        stock.dataReceived(get(b"/v1/x", b"x-ODD: 1"))
        self.assertEqual([one.target for one in seen], [b"/v1/x", b"/v1/x"])
        self.assertEqual([(b"x-ODD", b"1") in one.fields for one in seen], [True, False])
