"""Resources that speak JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.errors import RateLimitExceeded
from llmproxy.web.jsonresource import Call, JsonResource, Operation


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    size: int = 1


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

        self.resource = JsonResource(
            {b"GET": Operation(respond), b"POST": Operation(respond, Thing, status=201)}, max_body=100
        )

    def ask(self, method: str, body: bytes = b"", content_type: str | None = "application/json") -> tuple[Any, bytes]:
        root = Resource()
        root.putChild(b"thing", self.resource)
        treq = StubTreq(root)
        headers = {} if content_type is None else {"Content-Type": content_type}
        response = self.successResultOf(treq.request(method, "http://x.example/thing", headers=headers, data=body))
        return response, self.successResultOf(treq.content(response))

    def post(self, body: bytes, content_type: str | None = "application/json") -> tuple[int, Any]:
        response, content = self.ask("POST", body, content_type)
        return response.code, json.loads(content)

    def test_body(self) -> None:
        """What was sent is what the operation is given."""
        self.assertEqual(self.post(b' {"name": "x", "size": 2} '), (201, {"ok": True}))
        self.assertEqual(self.calls, [Thing("x", 2)])

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
            self.assertEqual((status, said["error"], said["code"]), (400, "invalid request body", "bad_request"))
            if words is not None:
                self.assertEqual(said["description"], words)
        self.assertEqual(self.calls, [])

    def test_nesting(self) -> None:
        """A body nested as deep as it is long is refused like any other."""
        self.resource = JsonResource(dict(self.resource._operations))
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
        self.assertEqual(response.headers.getRawHeaders("allow"), ["GET, HEAD, POST"])
        self.assertEqual(json.loads(content), {"error": "method not allowed", "code": "method_not_allowed"})

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
        request = DummyRequest([b"thing"])
        request.content = io.BytesIO()
        recorded: list[Any] = []
        self.resource.finished = lambda *details: recorded.append(details)  # type: ignore[method-assign]
        self.resource.render(request)
        request.processingFailed(Failure(ConnectionDone()))
        self.answer.callback({})
        self.assertEqual((len(recorded), request.written, request.finished), (1, [], 0))
