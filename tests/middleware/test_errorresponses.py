"""Tests for L{llmproxy.middleware.errorresponses}."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import MethodNotAllowed, UpstreamReset, UpstreamUnreachable
from llmproxy.interfaces import Responder
from llmproxy.limiterrors import ModelNotAllowed
from llmproxy.message import ApiRequest, ApiResponse
from llmproxy.middleware.errorresponses import ErrorResponses

from .fakes import Inner, Reader, a_request, a_response, an_api


class ExplainTests(SynchronousTestCase):
    def explain(self, request: ApiRequest, error: Exception) -> tuple[ApiResponse, Any]:
        inner = Inner()
        responding = ErrorResponses().respond(request, inner)
        inner.fail(error)
        response = self.successResultOf(responding)
        reader = Reader()
        assert response.body is not None
        self.successResultOf(response.body.startProducing(reader))
        self.assertIn((b"Content-Length", b"%d" % len(reader.data)), response.fields)
        return response, json.loads(reader.data)

    def test_error(self) -> None:
        """The client is told the status, the code and what RFC 9110 wants beside them."""
        request = a_request()
        response, body = self.explain(request, MethodNotAllowed((b"GET", b"HEAD")))
        self.assertEqual((response.status, body["code"]), (405, "method_not_allowed"))
        self.assertIn((b"Allow", b"GET, HEAD"), response.fields)
        self.assertIn((b"Content-Type", b"application/json"), response.fields)
        self.assertIn((b"Cache-Control", b"no-store"), response.fields)
        self.assertEqual((request.record.error_code, request.record.ended), ("method_not_allowed", "refused"))

    def test_inherited(self) -> None:
        """An application can add to what it does: it is public."""

        class Counting(ErrorResponses):
            seen = 0

            def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
                self.seen += 1
                return super().respond(request, inner)

        counting, inner = Counting(), Inner()
        responding = counting.respond(a_request(), inner)
        inner.fail(UpstreamReset())
        self.assertEqual((self.successResultOf(responding).status, counting.seen), (502, 1))

    def test_dialect(self) -> None:
        """The API's dialect is spoken once it is known."""
        _, body = self.explain(a_request(api=an_api(dialect="anthropic")), UpstreamReset())
        self.assertEqual((body["type"], body["request_id"]), ("error", "r-1"))

    def test_program(self) -> None:
        """A coding agent gets the status that it knows what to do with."""
        request = a_request(api=an_api(dialect="anthropic"))
        request.record.user_agent = "claude-cli/2.1.197 (external, cli)"
        response, body = self.explain(request, ModelNotAllowed("x"))
        self.assertEqual((response.status, body["error"]["type"]), (400, "invalid_request_error"))
        self.assertEqual(request.record.error_code, "model_not_allowed")

    def test_which_provider(self) -> None:
        """Which provider failed, and how, stands in the message, and the cause in the record."""
        request = a_request()
        request.record.api = "openai"
        _, body = self.explain(request, UpstreamUnreachable(cause="refused"))
        self.assertEqual((body["error"], body["code"]), ("Proxy error", "upstream_unreachable"))
        self.assertEqual(body["description"], "openai cannot be reached: the connection was refused")
        self.assertEqual(request.record.cause, "refused")

    def test_own_fault(self) -> None:
        """A fault of our own is logged once; the client learns nothing of it."""
        request = a_request()
        response, body = self.explain(request, ZeroDivisionError("a secret"))
        self.assertEqual(response.status, 500)
        self.assertNotIn("secret", json.dumps(body))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(request.record.ended, "failed")

    def test_cancelled(self) -> None:
        """Nobody is answered who has left."""
        inner = Inner()
        responding = ErrorResponses().respond(a_request(), inner)
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(inner.cancelled, 1)

    def test_answers_pass(self) -> None:
        """An answer of upstream is not touched, whatever its status."""
        inner, response = Inner(), a_response(500)
        responding = ErrorResponses().respond(a_request(), inner)
        inner.answer(response)
        self.assertIs(self.successResultOf(responding), response)
