"""Tests for L{llmproxy.web.answerresource}."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from llmproxy.errors import Forbidden
from llmproxy.web.answerresource import AnswerResource, WholeAnswer, content_within


class Answers(AnswerResource):
    methods = (b"GET", b"POST")

    def __init__(self, respond: Callable[[Any], Any], dialect: str = "anthropic") -> None:
        super().__init__(dialect)
        self.respond = respond

    async def answer(self, request: Any) -> WholeAnswer:
        answer = self.respond(request)
        return await answer if hasattr(answer, "__await__") else answer


class AnswerResourceTests(SynchronousTestCase):
    def asked(self, resource: AnswerResource, method: str = "GET", **keywords: Any) -> tuple[int, Any, bytes, Any]:
        root = Resource()
        root.putChild(b"x", resource)
        client = StubTreq(root)
        asking = client.request(method, "http://a.example/x", **keywords)
        client.flush()
        response = self.successResultOf(asking)
        return response.code, response.headers, self.successResultOf(client.content(response)), response.length

    def test_lengths(self) -> None:
        """Every answer says how long it is, an empty one too."""
        for status, content, length in ((200, b"{}", 2), (200, b"", 0)):
            found = self.asked(Answers(lambda _, s=status, c=content: WholeAnswer(s, c)))  # type: ignore[misc]
            self.assertEqual((found[0], found[2]), (status, content), (status, content))
            self.assertEqual(found[3], length, (status, content))

    def test_errors(self) -> None:
        """An error is in the dialect that the client reads; one of ours says nothing of its cause."""

        def broken(request: Any) -> WholeAnswer:
            raise RuntimeError("secret")

        def forbidden(request: Any) -> WholeAnswer:
            raise Forbidden("no")

        status, _, body, _ = self.asked(Answers(forbidden))
        self.assertEqual((status, json.loads(body)["error"]["type"]), (403, "permission_error"))
        status, _, body, _ = self.asked(Answers(forbidden, "openai"))
        self.assertIn("message", json.loads(body)["error"])
        status, _, body, _ = self.asked(Answers(broken))
        self.assertEqual(status, 500)
        self.assertNotIn(b"secret", body)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_methods(self) -> None:
        status, headers, _, _ = self.asked(Answers(lambda _: WholeAnswer()), "DELETE")
        self.assertEqual((status, headers.getRawHeaders("allow")), (405, ["GET, HEAD, POST"]))

    def test_content(self) -> None:
        """A body is read within its bound."""

        async def read(request: Any) -> WholeAnswer:
            return WholeAnswer(content=await content_within(request, 3))

        self.assertEqual(self.asked(Answers(read), "POST", data=b"abc")[2], b"abc")
        self.assertEqual(self.asked(Answers(read), "POST", data=b"abcd")[0], 413)

    def test_idle(self) -> None:
        """A stop waits for what is running."""
        held: Deferred[WholeAnswer] = Deferred()
        resource = Answers(lambda _: held)
        root = Resource()
        root.putChild(b"x", resource)
        client = StubTreq(root)
        asking = client.get("http://a.example/x")
        idle = resource.idle()
        self.assertNoResult(idle)
        held.callback(WholeAnswer())
        client.flush()
        self.successResultOf(idle)
        self.assertEqual(self.successResultOf(asking).code, 200)
