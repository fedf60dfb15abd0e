"""Tests for L{llmproxy.upstream.responder}."""

from __future__ import annotations

from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource

from llmproxy.apisettings import ApiSettings
from llmproxy.bodies import BytesBody
from llmproxy.core.forwarded import trusted_proxies
from llmproxy.errors import BadRequest, LoopDetected, MethodNotAllowed
from llmproxy.message import ApiRequest, ApiResponse, Field
from llmproxy.origin import Origin
from llmproxy.upstream.responder import UpstreamResponder
from tests.middleware.fakes import Reader, a_request, an_api, an_upstream
from tests.tables import row

from .http2.wire import Http2Wire

ORIGIN = Origin("http", "up.example", 80, b"up.example")
API = an_api(origin=ORIGIN, path_prefix=b"/base")


_ADDED = {b"date", b"x-accel-buffering"}


class Recording(Resource):
    """An upstream that notes what it is asked, and answers with a cookie and a redirect's field."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bytes, bytes, dict[str, list[str]], bytes]] = []
        self.fields: list[Field] = []

    def render(self, request: Any) -> bytes:
        fields = {
            name.decode().lower(): [v.decode() for v in vs] for name, vs in request.requestHeaders.getAllRawHeaders()
        }
        self.seen.append((request.method, request.uri, fields, request.content.read()))
        request.setResponseCode(302)
        request.setHeader(b"Location", b"https://else.example/")
        request.setHeader(b"Set-Cookie", b"a=1")
        if self.fields:
            request.responseHeaders = Headers()
            for name, value in self.fields:
                request.responseHeaders.addRawHeader(name, value)
        return b"moved"


Asked = tuple[ApiRequest, "Deferred[ApiResponse]"]


class StockClientTests(SynchronousTestCase):
    """treq's stub takes the place of our client: its interface is all that is used."""

    def setUp(self) -> None:
        self.upstream = Recording()
        self.treq = StubTreq(self.upstream)
        self.responder = UpstreamResponder(lambda api: self.treq)

    def ask(
        self, *fields: Field, body: bytes | None = None, method: bytes = b"", peer: str = "192.0.2.7", **changes: Any
    ) -> tuple[ApiRequest, Deferred[ApiResponse]]:
        at = {} if "upstreams" in changes else {"origin": ORIGIN, "path_prefix": b"/base"}
        api = an_api(**at, **changes)
        request = a_request(
            method or (b"GET" if body is None else b"POST"),
            b"/v1/x?q=1",
            [(b"Host", b"proxy"), *fields],
            None if body is None else BytesBody(body),
            api=api,
        )
        request.client = request.peer = peer
        if peer == "192.0.2.1":
            request.client = "203.0.113.9"
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

    def test_added(self) -> None:
        """What an upstream is to get stands in place of what the client says, whatever that calls a hop's own."""
        upstream = an_upstream(
            origin=ORIGIN, headers=((b"X-Team", b"ours"),), api_version=b"2024-10-21", host=b"inner.example:8443"
        )
        sent: tuple[Field, ...] = ((b"x-team", b"theirs"), (b"Connection", b"X-Team"))
        for fields in ((), sent):
            self.ask(*fields, upstreams=(upstream,))
            _, uri, seen, _ = self.upstream.seen[-1]
            with row(fields):
                self.assertEqual((seen["x-team"], seen["host"]), (["ours"], ["inner.example:8443"]))
                self.assertEqual(uri, b"/v1/x?q=1&api-version=2024-10-21")

    def test_cookies_of_ours(self) -> None:
        """Who is signed in at our pages shows that to no upstream, and no upstream can sign anybody in."""
        for sent in (b"a=1; llmproxy_session=secret; b=2", b"__Host-llmproxy_session=secret", b"a=1; b=2"):
            self.ask((b"Cookie", sent))
            passed = " ".join(self.upstream.seen[-1][2].get("cookie", []))
            self.assertNotIn("llmproxy", passed, sent)
            self.assertEqual("b=2" in passed, b"b=2" in sent, sent)
        self.upstream.fields = [(b"Set-Cookie", b"llmproxy_session=theirs; Path=/"), (b"Set-Cookie", b"b=2")]
        answered = self.successResultOf(self.ask()[1]).fields
        self.assertEqual([value for name, value in answered if name.lower() == b"set-cookie"], [b"b=2"])

    def test_client_address(self) -> None:
        """Where the client is stays here, unless the configuration says otherwise."""
        told = ((b"X-Forwarded-For", b"192.0.2.1"), (b"Forwarded", b"for=x"), (b"X-Real-IP", b"y"))
        self.successResultOf(self.ask(*told)[1])
        self.responder = UpstreamResponder(lambda api: self.treq)
        self.successResultOf(self.ask(*told, settings=ApiSettings(forwarded_fields="pass"))[1])
        stripped, passed = (fields for _, _, fields, _ in self.upstream.seen)
        self.assertFalse({"x-forwarded-for", "forwarded", "x-real-ip"} & set(stripped))
        self.assertEqual(passed["x-forwarded-for"], ["192.0.2.1"])

    def test_client_told(self) -> None:
        """The way here is told as the API wants it told; proxies of ours are believed, others are not."""
        trusted = trusted_proxies(["192.0.2.1"])
        told = ((b"X-Forwarded-For", b"203.0.113.9"), (b"X-Forwarded-Proto", b"https"))
        for mode, expected in (("append", ["203.0.113.9, 192.0.2.1"]), ("set", ["203.0.113.9"])):
            self.responder = UpstreamResponder(lambda api: self.treq, trusted=trusted)
            _, responding = self.ask(*told, settings=ApiSettings(forwarded_fields=mode), peer="192.0.2.1")
            self.successResultOf(responding)
            fields = self.upstream.seen[-1][2]
            self.assertEqual((fields["x-forwarded-for"], fields["x-forwarded-proto"]), (expected, ["https"]), mode)
            self.assertEqual((fields["host"], fields["x-forwarded-host"]), (["up.example"], ["proxy"]), mode)

    def test_max_forwards(self) -> None:
        """RFC 9110 section 7.6.2: it counts down, and at nothing we are the one that was asked."""
        for method, value, sent in ((b"OPTIONS", b"3", ["2"]), (b"GET", b"0", ["0"]), (b"OPTIONS", b"", None)):
            fields = ((b"Max-Forwards", value),) if value else ()
            self.successResultOf(self.ask(*fields, method=method)[1])
            self.assertEqual(self.upstream.seen[-1][2].get("max-forwards"), sent, (method, value, sent))
        seen = len(self.upstream.seen)
        policy = {"allowed_methods": ["GET", "OPTIONS"]}
        request, responding = self.ask((b"Max-Forwards", b"0"), method=b"OPTIONS", policy=policy)
        response = self.successResultOf(responding)
        self.assertEqual((response.status, response.fields[0]), (200, (b"Allow", b"GET, OPTIONS, HEAD")))
        self.assertEqual((len(self.upstream.seen), request.record.attempts), (seen, 0))
        self.assertRaises(BadRequest, self.ask, (b"Max-Forwards", b"many"), method=b"OPTIONS")

    def test_no_trace(self) -> None:
        """Nothing repeats a request that has the project's key in it."""
        self.assertRaises(MethodNotAllowed, self.ask, (b"Max-Forwards", b"0"), method=b"TRACE")

    def test_what_is_missing(self) -> None:
        """C{Date} is when the answer came; an event stream asks nginx not to hold it; the provider's id is noted."""
        stream = (b"Content-Type", b"Text/Event-Stream ; charset=utf-8")
        for fields, added, known_as in (
            ([stream], [b"Date", b"X-Accel-Buffering"], ""),
            ([stream, (b"x-accel-buffering", b"yes")], [b"Date"], ""),
            ([(b"content-type", b"application/x-ndjson"), (b"date", b"x")], [b"X-Accel-Buffering"], ""),
            ([(b"content-type", b"application/json"), (b"request-id", b"req_1")], [b"Date"], "req_1"),
            ([(b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT"), (b"CF-Ray", b"ray")], [], "ray"),
        ):
            self.upstream.fields = fields
            request, responding = self.ask()
            names = [name for name, _ in self.successResultOf(responding).fields]
            came = {name.lower() for name, _ in fields}
            self.assertEqual([name for name in names if name.lower() in _ADDED - came], added, fields)
            self.assertEqual(request.record.upstream_request_id, known_as, (fields, added, known_as))

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


class Http2Tests(SynchronousTestCase):
    """What is particular to an upstream over HTTP/2."""

    def answered(self, *fields: Field, version: bytes = b"HTTP/1.1") -> tuple[dict[bytes, bytes], ApiResponse]:
        held = Http2Wire()
        responder = UpstreamResponder(lambda api: held.client)
        origin = Origin("https", "up.example", 443, b"up.example")
        request = a_request(b"GET", b"/v1/x", [(b"Host", b"proxy"), *fields], None, api=an_api(origin=origin))
        responding = responder.respond(request)
        upstream = held.accept()
        upstream.http.send_headers(1, [(b":status", b"429"), (b"content-type", b"text/event-stream")])
        upstream.flush()
        return dict(upstream.heads[1]), self.successResultOf(responding)

    def test_answer(self) -> None:
        """Its version stands in Via, it has the usual phrase, and a stream without a length has an end of its own."""
        _, answer = self.answered()
        self.assertEqual((answer.status, answer.reason), (429, b"Too Many Requests"))
        self.assertIn((b"Via", b"2.0 llmproxy"), answer.fields)
        self.assertFalse(answer.until_close)

    def test_te(self) -> None:
        """That a client takes trailers is passed on, whatever its Connection says; nothing else of TE is."""
        for sent, passed in (
            (((b"TE", b"trailers"),), b"trailers"),
            (((b"TE", b"Trailers"), (b"Connection", b"TE")), b"trailers"),
            (((b"TE", b"gzip"),), None),
            ((), None),
        ):
            seen, _ = self.answered(*sent)
            self.assertEqual(seen.get(b"te"), passed, sent)
            self.assertEqual((seen[b":authority"], seen[b"via"]), (b"up.example", b"1.1 llmproxy"), sent)
