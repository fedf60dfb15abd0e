"""Middlewares of one's own: words that may not leave the house, and a count of what is answered."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import ApiRequest, ApiResponse, BytesBody, Responder, Tap, after, before
from llmproxy.errors import BadRequest, ConfigError
from llmproxy.testing import MemoryProxy


class SecretWords:
    """Refuses what must not be said; a body that is not here whole passes."""

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if isinstance(request.body, BytesBody) and b"project X" in request.body.content:
            raise BadRequest("this must not leave the house")
        return inner(request)


class Lines:
    """Counts the lines of each answer, by project."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.ended: list[bool] = []

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return inner(request).addCallback(self._counted, request.principal.project.id)

    def _counted(self, response: ApiResponse, project: str) -> ApiResponse:
        def seen(data: bytes) -> None:
            self.counts[project] = self.counts.get(project, 0) + data.count(b"\n")

        if response.body is not None:
            response.body = Tap(response.body, seen, lambda reason: self.ended.append(reason is None))
        return response


class MiddlewareTests(SynchronousTestCase):
    def test_refuses(self) -> None:
        """A refusal is an answer like the proxy's own, and upstream hears nothing."""
        proxy = MemoryProxy(middlewares=[after("restrict", SecretWords())])
        answer = proxy.request("POST", "/v1/chat/completions", body=b'{"text": "project X"}')
        self.assertEqual((answer.status, answer.json()["code"]), (400, "bad_request"))
        self.assertEqual(answer.json()["description"], "this must not leave the house")
        self.assertEqual(proxy.upstream.calls, [])
        proxy.request("POST", "/v1/chat/completions", body=b"{}")
        self.assertEqual(proxy.upstream.next().body, b"{}")

    def test_watches(self) -> None:
        """A stream is counted while it passes, and its end is known, whatever it was."""
        lines = Lines()
        proxy = MemoryProxy(middlewares=[before("quota", lines)])
        answer = proxy.request("GET", "/v1/stream")
        call = proxy.upstream.next()
        call.head(200)
        call.write_answer(b"a\nb\n")
        self.assertEqual((answer.body, lines.counts, lines.ended), (b"a\nb\n", {"p-1": 2}, []))
        answer.pause()
        self.assertTrue(call.paused)
        answer.resume()
        call.write_answer(b"c\n")
        call.end()
        self.assertEqual((answer.ended, lines.counts, lines.ended), (True, {"p-1": 3}, [True]))
        answer = proxy.request("GET", "/v1/stream")
        proxy.upstream.next().head(200)
        answer.leave()
        self.assertEqual(lines.ended, [True, False])

    def test_no_place(self) -> None:
        """A place that there is not is found when the proxy is made, with the names of those there are."""
        error = self.assertRaises(ConfigError, MemoryProxy, middlewares=[before("authentication", Lines())])
        self.assertIn("authenticate", str(error))
