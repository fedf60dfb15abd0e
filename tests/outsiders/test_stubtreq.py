"""A trial test of an application that asks a model through the proxy: StubTreq at both ends."""

from __future__ import annotations

import json
from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from llmproxy.testing import SECRET, MemoryProxy


class Completions(Resource):
    """A model that says what it was asked."""

    isLeaf = True

    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        asked = json.loads(request.content.read())
        request.setHeader(b"content-type", b"application/json")
        key = (request.getHeader(b"authorization") or b"").decode()
        return json.dumps({"answer": asked["question"].upper(), "key": key}).encode()


async def ask(client: Any, question: str) -> Any:
    """The application: what is to be tested."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    response = await client.post("http://proxy/v1/ask", json={"question": question}, headers=headers)
    return response.code, await response.json()


class ApplicationTests(SynchronousTestCase):
    def test_asks(self) -> None:
        """The application gets upstream's answer, which was asked with the project's key."""
        proxy = MemoryProxy(upstream_client=StubTreq(Completions()))
        client = StubTreq(proxy.proxy.resource())
        asking = Deferred.fromCoroutine(ask(client, "who?"))
        client.flush()
        self.assertEqual(self.successResultOf(asking), (200, {"answer": "WHO?", "key": "Bearer sk-upstream"}))
        self.assertEqual(
            [(each.method, each.status, each.ended) for each in proxy.records], [("POST", 200, "complete")]
        )
        self.successResultOf(proxy.stop())

    def test_refused(self) -> None:
        """Without a token it is told so."""
        proxy = MemoryProxy(upstream_client=StubTreq(Completions()))
        response = self.successResultOf(StubTreq(proxy.proxy.resource()).get("http://proxy/v1/ask"))
        self.assertEqual(response.code, 401)
