"""Resources that speak JSON."""

from __future__ import annotations

import io
import json
from typing import Annotated, Any

import msgspec
from treq.testing import StubTreq
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.core.clientlimits import Limits
from llmproxy.errors import BadRequest, RateLimitExceeded, Unauthorized
from llmproxy.web.jsonresource import JsonResource
from llmproxy.web.operations import Call, Operation, RouteTable

from .wire import Client


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    size: int = 1


class Lookup(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=9)] = 5
    active: bool | None = None


class JsonResourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.calls: list[Any] = []
        self.answer: Any = {"ok": True}

        async def respond(call: Call) -> Any:
            self.calls.append(call.body)
            if isinstance(self.answer, Deferred):
                return await self.answer
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        operations = {b"GET": Operation(respond, query=Lookup), b"POST": Operation(respond, Thing, status=201)}
        self.resource = JsonResource(RouteTable({"/": operations}), max_body=100)

    def ask(
        self,
        method: str,
        body: bytes = b"",
        content_type: str | None = "application/json",
        query: str = "",
        accept: str = "",
    ) -> tuple[Any, bytes]:
        root = Resource()
        root.putChild(b"thing", self.resource)
        treq = StubTreq(root)
        headers = {} if content_type is None else {"Content-Type": content_type}
        if accept:
            headers["Accept"] = accept
        response = self.successResultOf(
            treq.request(method, f"http://x.example/thing{query}", headers=headers, data=body)
        )
        return response, self.successResultOf(treq.content(response))

    def post(self, body: bytes, content_type: str | None = "application/json") -> tuple[int, Any]:
        response, content = self.ask("POST", body, content_type)
        return response.code, json.loads(content)

    def test_body(self) -> None:
        """What was sent is what the operation is given."""
        self.assertEqual(self.post(b' {"name": "x", "size": 2} '), (201, {"ok": True}))
        self.assertEqual(self.calls, [Thing("x", 2)])

    def test_idle(self) -> None:
        """Who stops can wait for the calls that are running, and stop waiting."""
        self.successResultOf(self.resource.idle())
        self.answer = Deferred()
        root = Resource()
        root.putChild(b"thing", self.resource)
        treq = StubTreq(root)
        asking = treq.get("http://x.example/thing")
        self.assertEqual(self.resource.running, 1)
        waiting, impatient = self.resource.idle(), self.resource.idle()
        impatient.cancel()
        self.failureResultOf(impatient, CancelledError)
        self.assertNoResult(waiting)
        self.answer.callback({"ok": True})
        treq.flush()
        self.successResultOf(waiting)
        self.assertEqual((self.successResultOf(asking).code, self.resource.running), (200, 0))

    def test_bad_bodies(self) -> None:
        """What is not exactly what is expected is refused, and the operation not begun."""
        for body, words in (
            (b"", "Input data was truncated"),
            (b'{"name": "x"', "Input data was truncated"),
            (b'{"name": "x"} {}', "JSON is malformed: trailing characters (byte 15)"),
            (b'{"size": 1}', "Object missing required field `name`"),
            (b'{"name": 1}', "Expected `str`, got `int` - at `$.name`"),
            (b'{"name": "x", "nmae": "y"}', "Object contains unknown field `nmae`"),
            (b"[]", "Expected `object`, got `array`"),
            (b'{"name": "\xff"}', None),
        ):
            status, said = self.post(body)
            self.assertEqual(
                (status, said["error"], said["code"]), (400, "invalid request body", "bad_request"), (body, words)
            )
            if words is not None:
                self.assertEqual(said["description"], words, (body, words))
        self.assertEqual(self.calls, [])

    def test_nesting(self) -> None:
        """A body nested as deep as it is long is refused like any other."""
        self.resource = JsonResource(self.resource._table)
        self.assertEqual(self.post(b'{"x":' + b"[" * 60_000)[0], 400)

    def test_too_large(self) -> None:
        """A body over the bound is 413; one of exactly that many bytes is not."""
        body = b'{"name": "%s"}' % (b"x" * 89)
        self.assertEqual((len(body), self.post(body)[0]), (101, 413))
        self.assertEqual(self.post(body.replace(b"xx", b"x", 1))[0], 201)

    def test_content_types(self) -> None:
        """JSON under any of its names, or without one; nothing that a form of a web page can send."""
        for content_type, status in (
            ("application/json", 201),
            ("Application/JSON; charset=UTF-8", 201),
            ("application/merge-patch+json", 201),
            (None, 201),
            ("text/plain", 415),
            ("application/x-www-form-urlencoded", 415),
            ("application/json; charset=utf-16", 415),
        ):
            self.assertEqual(self.post(b'{"name": "x"}', content_type)[0], status, content_type)

    def test_method(self) -> None:
        """An unsupported method is told which ones are."""
        response, content = self.ask("DELETE")
        self.assertEqual(response.code, 405)
        self.assertEqual(response.headers.getRawHeaders("allow"), ["GET, HEAD, OPTIONS, POST"])
        self.assertEqual(json.loads(content), {"error": "method not allowed", "code": "method_not_allowed"})

    def test_options(self) -> None:
        """OPTIONS says what is supported, and does nothing."""
        response, content = self.ask("OPTIONS")
        self.assertEqual((response.code, content, self.calls), (204, b"", []))
        self.assertEqual(response.headers.getRawHeaders("allow"), ["GET, HEAD, OPTIONS, POST"])

    def test_query(self) -> None:
        """Parameters are what they are said to be; an empty one counts as not given."""
        seen: list[Any] = []

        async def respond(call: Call) -> Any:
            seen.append(call.query)
            return {}

        self.resource = JsonResource(RouteTable({"/": {b"GET": Operation(respond, query=Lookup)}}))
        for query, meant in (
            ("", Lookup()),
            ("?limit=3&active=true", Lookup(3, True)),
            ("?active=0&limit=", Lookup(5, False)),
        ):
            self.assertEqual(self.ask("GET", query=query)[0].code, 200, (query, meant))
            self.assertEqual(seen.pop(), meant, (query, meant))

    def test_bad_queries(self) -> None:
        """A parameter that would do nothing, or not what was meant, is refused by its name."""
        for query, words in (
            ("?limits=3", "the parameter 'limits' is not known here"),
            ("?limits=", "the parameter 'limits' is not known here"),
            ("?limit=3&limit=4", "the parameter 'limit' is given twice"),
            ("?limit=%00", "the parameter 'limit' holds a NUL"),
            ("?limit=10", "Expected `int` <= 9 - at `$.limit`"),
            ("?limit=x", "Expected `int`, got `str` - at `$.limit`"),
            ("?limit=%ff", "expected parameters in UTF-8"),
            ("?" + "a&" * 100, "expected parameters in UTF-8"),
        ):
            response, content = self.ask("GET", query=query)
            said = json.loads(content)
            self.assertEqual(
                (response.code, said["error"], said["description"]), (400, "invalid query", words), (query, words)
            )

    def test_problem_details(self) -> None:
        """Who asks for RFC 9457 gets it; who takes anything gets what the reference's clients know."""
        for accept, details in (
            ("application/problem+json", True),
            ("application/json, Application/Problem+JSON;q=0.5", True),
            ("application/problem+json; q=0, */*", False),
            ("*/*", False),
            ("", False),
        ):
            response, content = self.ask("POST", b"{}", accept=accept)
            kind = "application/problem+json" if details else "application/json"
            self.assertEqual(response.headers.getRawHeaders("content-type"), [kind], accept)
            said = json.loads(content)
            self.assertEqual("detail" in said, details, (accept, details))
        self.assertEqual(
            json.loads(self.ask("POST", b"{}", accept="application/problem+json")[1]),
            {
                "type": "urn:llmproxy:error:bad_request",
                "title": "Bad Request",
                "status": 400,
                "detail": "invalid request body: Object missing required field `name`",
                "code": "bad_request",
            },
        )

    def test_head(self) -> None:
        """HEAD is GET without content."""
        response, content = self.ask("HEAD")
        self.assertEqual((response.code, content), (200, b""))
        self.assertEqual(response.headers.getRawHeaders("content-length"), ["12"])

    def test_nothing(self) -> None:
        """An operation that has nothing to say is 204, without content or its type."""
        self.answer = None
        response, content = self.ask("GET")
        self.assertEqual((response.code, content), (204, b""))
        self.assertFalse(response.headers.hasHeader("content-type"))

    def test_told_fault(self) -> None:
        """A fault that the client is told comes with its status, code and fields."""
        self.answer = RateLimitExceeded("slow down", fields=((b"Retry-After", b"3"),))
        response, content = self.ask("GET")
        self.assertEqual((response.code, response.headers.getRawHeaders("retry-after")), (429, ["3"]))
        self.assertEqual(
            json.loads(content),
            {"error": "Rate limit exceeded", "code": "rate_limit_exceeded", "description": "slow down"},
        )

    def test_own_fault(self) -> None:
        """A fault of ours is a 500 that says nothing of it; the log does."""
        self.answer = ZeroDivisionError("canary")
        response, content = self.ask("GET")
        self.assertEqual((response.code, b"canary" in content), (500, False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_leaves(self) -> None:
        """What was begun is finished though the client has left; nothing is written to nobody."""
        self.answer = Deferred()
        request = DummyRequest([])
        request.content = io.BytesIO()
        recorded: list[Any] = []
        self.resource.finished = lambda *details: recorded.append(details)  # type: ignore[method-assign]
        self.resource.render(request)
        request.processingFailed(Failure(ConnectionDone()))
        self.answer.callback({})
        self.assertEqual((len(recorded), request.written, request.finished), (1, [], 0))


class ContentTests(SynchronousTestCase):
    """On our own channel, where content comes when it is asked for."""

    def setUp(self) -> None:
        self.told: list[Any] = []

        async def respond(call: Call) -> Any:
            return call.body

        class Api(JsonResource):
            async def authorize(api, call: Call) -> None:
                if call.request.getHeader(b"authorization") is None:
                    raise Unauthorized()

            def finished(api, call: Call, error: Any) -> None:
                self.told.append(error)

        table = RouteTable({"/": {b"POST": Operation(respond, Thing), b"DELETE": Operation(respond)}})
        self.api = Api(table, max_body=100)
        root = Resource()
        root.putChild(b"thing", self.api)
        self.client = Client(root, limits=Limits(body_silence=5.0))

    def ask(self, *fields: bytes, method: bytes = b"POST", length: int = 20) -> None:
        known = (b"Content-Type: application/json", b"Content-Length: %d" % length)
        self.client.send(b"\r\n".join([method + b" /thing HTTP/1.1", b"Host: a", *known, *fields, b"", b""]))

    def test_stranger(self) -> None:
        """Of who shows no credential nothing is read but the head, whatever is to come; nothing is asked to be sent."""
        for length in (20, 100_000_000):
            for fields in ((), (b"Expect: 100-continue",)):
                self.setUp()
                self.ask(*fields, length=length)
                self.assertEqual(self.client.status, 401, fields)
                self.assertNotIn(b"100 Continue", self.client.received)

    def test_known(self) -> None:
        """Who is known is asked for it, in however many pieces it comes, and may say more on the same connection."""
        body = json.dumps({"name": "x" * 9}).encode()
        self.ask(b"Authorization: x", b"Expect: 100-continue", length=len(body))
        self.assertEqual(self.client.received, b"HTTP/1.1 100 Continue\r\n\r\n")
        for at in range(len(body)):
            self.client.send(body[at : at + 1])
        self.assertIn(b'{"name":"xxxxxxxxx","size":1}', self.client.received)
        self.client.send(b"POST /thing HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nContent-Type: application/json\r\n")
        self.client.send(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        self.assertEqual(self.client.received.count(b'{"name":"xxxxxxxxx","size":1}'), 2)

    def test_too_large(self) -> None:
        """More than makes sense is refused when it is known."""
        self.ask(b"Authorization: x", length=5000)
        self.client.send(b"x" * 200)
        self.assertEqual(self.client.status, 413)
        self.assertIn(b"at most 100 bytes", self.client.received)

    def test_limit_of_the_site(self) -> None:
        """What the limits say of bodies holds here too."""
        self.client.site.limits = Limits(body=50)
        self.ask(b"Authorization: x", length=51)
        self.client.send(b"x" * 51)
        self.assertEqual(self.client.status, 413)
        self.assertIn(b"at most 50 bytes", self.client.received)

    def test_too_slow(self) -> None:
        """One that does not come is not waited for."""
        self.ask(b"Authorization: x")
        self.client.wait(12)
        self.assertEqual((self.client.status, self.api.running), (408, 0))

    def test_leaves(self) -> None:
        """Who leaves before it is here has changed nothing, and is noted as that."""
        self.ask(b"Authorization: x")
        self.client.leave()
        self.assertEqual([type(error) for error in self.told], [BadRequest])
        self.assertEqual(self.api.running, 0)

    def test_nobody_wants_it(self) -> None:
        """Content that means nothing is passed over."""
        self.ask(b"Authorization: x", method=b"DELETE", length=3)
        self.client.send(b"abc")
        self.ask(b"Authorization: x", method=b"DELETE", length=0)
        self.assertEqual(self.client.received.count(b"HTTP/1.1 204"), 2)
