"""Tests for L{llmproxy.providers.errorbody}."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import (
    ContentTooLarge,
    EndpointNotFound,
    InternalError,
    MethodNotAllowed,
    ParamNotAllowed,
    ProjectInactive,
    ProxyError,
    RateLimitExceeded,
    TokenExpired,
    Unavailable,
    UpstreamReset,
    UpstreamTimeout,
)
from llmproxy.providers.errorbody import ErrorResponse, render
from llmproxy.providers.registry import DIALECTS

from ..tables import row

ALL = (
    ParamNotAllowed(),
    TokenExpired(),
    ProjectInactive(),
    EndpointNotFound(),
    MethodNotAllowed((b"GET",)),
    ContentTooLarge(),
    RateLimitExceeded(),
    InternalError(),
    UpstreamReset(),
    Unavailable(),
    UpstreamTimeout("silence"),
)


def body(error: ProxyError, dialect: str) -> Any:
    return json.loads(render(error, dialect, "r-1"))


class RenderTests(SynchronousTestCase):
    def test_proxy(self) -> None:
        """By default it is the reference's shape, without a description where there is none."""
        self.assertEqual(body(TokenExpired(), "proxy"), {"error": "Token has expired", "code": "token_expired"})
        self.assertEqual(
            body(TokenExpired("an hour ago"), "proxy"),
            {"error": "Token has expired", "description": "an hour ago", "code": "token_expired"},
        )

    def test_openai(self) -> None:
        """All four members that OpenAI's SDK expects are there."""
        for error in ALL:
            inner = body(error, "openai")["error"]
            self.assertEqual(set(inner), {"message", "type", "param", "code"}, error)
            self.assertEqual(inner["code"], error.code, error)
            self.assertIn(error.message, inner["message"])

    def test_anthropic(self) -> None:
        """Each status has the type that Anthropic's documents name."""
        expected = [
            "invalid_request_error",
            "authentication_error",
            "permission_error",
            "not_found_error",
            "invalid_request_error",
            "request_too_large",
            "rate_limit_error",
            "api_error",
            "api_error",
            "overloaded_error",
            "timeout_error",
        ]
        self.assertEqual([body(error, "anthropic")["error"]["type"] for error in ALL], expected)
        self.assertEqual(body(TokenExpired(), "anthropic")["request_id"], "r-1")
        self.assertEqual(body(TokenExpired(), "anthropic")["type"], "error")

    def test_gemini(self) -> None:
        """The status is repeated as a number and by its name in google.rpc."""
        expected = [
            "INVALID_ARGUMENT",
            "UNAUTHENTICATED",
            "PERMISSION_DENIED",
            "NOT_FOUND",
            "INVALID_ARGUMENT",
            "INVALID_ARGUMENT",
            "RESOURCE_EXHAUSTED",
            "INTERNAL",
            "UNAVAILABLE",
            "UNAVAILABLE",
            "DEADLINE_EXCEEDED",
        ]
        self.assertEqual([body(error, "gemini")["error"]["status"] for error in ALL], expected)
        self.assertEqual([body(error, "gemini")["error"]["code"] for error in ALL], [error.status for error in ALL])

    def test_foreign_characters(self) -> None:
        """What a client sent cannot break out of the JSON."""
        error = ParamNotAllowed(message="value '\"}\n\u2028é' is not allowed")
        for dialect in DIALECTS:
            self.assertIn("\u2028é", json.dumps(body(error, dialect), ensure_ascii=False))


class EncodableTests(SynchronousTestCase):
    def test_any_text(self) -> None:
        """Whatever of a request an error quotes, it has a body in every dialect."""
        for text in ("\ud800", "x\udfff é", "\0\x1f\x7f", "\U0010ffff"):
            for error in (ParamNotAllowed(message=text), ParamNotAllowed(text), Unavailable(text)):
                for dialect in DIALECTS:
                    json.loads(render(error, dialect, "id"))


class ErrorResponseTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        """What the proxy answers in its own dialect can be read as a value, and written as the same."""
        for error in ALL:
            answer = ErrorResponse.parse(render(error, "proxy", "id"))
            self.assertEqual(answer, ErrorResponse.of(error), error)
            self.assertEqual(ErrorResponse.parse(answer.encode()), answer, error)

    def test_others(self) -> None:
        """What is no such answer is said to be none."""
        for body in (b"", b"[]", b"{}", b'{"error": {"message": "openai\'s"}}', b"\xff", b'{"error": "a", "code": 1}'):
            with row(body):
                self.assertRaises(ValueError, ErrorResponse.parse, body)

    def test_masked(self) -> None:
        """A secret that slipped into an error is in no answer."""
        secret = "sk-" + "A" * 22
        self.assertNotIn(secret.encode(), ErrorResponse.of(Unavailable(f"no {secret}")).encode())
