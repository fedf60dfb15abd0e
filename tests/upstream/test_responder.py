"""Tests for L{llmproxy.upstream.responder}."""

from __future__ import annotations

from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from llmproxy.bodies import BytesBody
from llmproxy.errors import LoopDetected
from llmproxy.message import ApiRequest, ApiResponse, Field, Origin
from llmproxy.upstream.responder import UpstreamResponder
from tests.middleware.fakes import Reader, a_request, an_api

API = an_api(origin=Origin("http", "up.example", 80, b"up.example"), path_prefix=b"/base")


class Recording(Resource):
    """An upstream that notes what it is asked, and answers with a cookie and a redirect's field."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bytes, bytes, dict[str, list[str]], bytes]] = []

    def render(self, request: Any) -> bytes:
        fields = {
            name.decode().lower(): [v.decode() for v in vs] for name, vs in request.requestHeaders.getAllRawHeaders()
        }
        self.seen.append((request.method, request.uri, fields, request.content.read()))
        request.setResponseCode(302)
        request.setHeader(b"Location", b"https://else.example/")
        request.setHeader(b"Set-Cookie", b"a=1")
        return b"moved"


Asked = tuple[ApiRequest, "Deferred[ApiResponse]"]


class StockClientTests(SynchronousTestCase):
    """treq's stub takes the place of our client: its interface is all that is used."""

    def setUp(self) -> None:
        self.upstream = Recording()
        self.treq = StubTreq(self.upstream)
        self.responder = UpstreamResponder(lambda api: self.treq)

    def ask(
        self, *fields: Field, body: bytes | None = None, **changes: Any
    ) -> tuple[ApiRequest, Deferred[ApiResponse]]:
        api = an_api(origin=API.origin, path_prefix=API.path_prefix, **changes)
        request = a_request(
            b"GET" if body is None else b"POST",
            b"/v1/x?q=1",
            [(b"Host", b"proxy"), *fields],
            None if body is None else BytesBody(body),
            api=api,
        )
        return request, self.responder.respond(request)

    def test_request(self) -> None:
        """Target below the path of the base URL, C{Host} of upstream, C{Via}, an id; the body as it is."""
        request, responding = self.ask((b"X-A", b"1"), body=b"content")
        self.successResultOf(responding)
        [(method, uri, fields, body)] = self.upstream.seen
        self.assertEqual((method, uri, body), (b"POST", b"/base/v1/x?q=1", b"content"))
        self.assertEqual((fields["host"], fields["x-a"]), (["up.example"], ["1"]))
        self.assertEqual((fields["via"], fields["x-request-id"]), (["1.1 llmproxy"], [request.record.request_id]))
        self.assertEqual((request.record.attempts, request.record.upstream_status), (1, 302))

    def test_response(self) -> None:
        """A redirect is not followed: it is the client's, as a cookie is."""
        _, responding = self.ask()
        response = self.successResultOf(responding)
        reader = Reader()
        assert response.body is not None
        self.successResultOf(response.body.startProducing(reader))
        self.assertEqual((response.status, reader.data), (302, b"moved"))
        told = {name.lower(): value for name, value in response.fields}
        self.assertEqual((told[b"location"], told[b"set-cookie"]), (b"https://else.example/", b"a=1"))

    def test_client_address(self) -> None:
        """Where the client is stays here, unless the configuration says otherwise."""
        told = ((b"X-Forwarded-For", b"192.0.2.1"), (b"Forwarded", b"for=x"), (b"X-Real-IP", b"y"))
        self.successResultOf(self.ask(*told)[1])
        self.responder = UpstreamResponder(lambda api: self.treq)
        self.successResultOf(self.ask(*told, settings={"forwarded_fields": "pass"})[1])
        stripped, passed = (fields for _, _, fields, _ in self.upstream.seen)
        self.assertFalse({"x-forwarded-for", "forwarded", "x-real-ip"} & set(stripped))
        self.assertEqual(passed["x-forwarded-for"], ["192.0.2.1"])

    def test_loop(self) -> None:
        """A request that has been through this proxy again and again goes no further."""
        via = tuple((b"Via", b"1.1 llmproxy") for _ in range(3))
        try:
            _, responding = self.ask(*via)
        except LoopDetected:
            pass
        else:
            self.failureResultOf(responding, LoopDetected)
        self.assertEqual(self.upstream.seen, [])

    def test_another_proxys_via(self) -> None:
        """Other proxies on the way are told on, ours after them."""
        self.successResultOf(self.ask((b"Via", b"1.0 edge"))[1])
        self.assertEqual(self.upstream.seen[0][2]["via"], ["1.0 edge", "1.1 llmproxy"])
