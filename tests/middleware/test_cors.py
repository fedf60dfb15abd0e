"""Tests for L{llmproxy.middleware.cors}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.routing import RoutingTable
from llmproxy.message import ApiResponse, Field
from llmproxy.middleware.cors import Cors

from .fakes import Inner, a_request, a_response, an_api

APP = b"https://app.example"
EVIL = b"https://evil.example"


def values(response: ApiResponse, name: bytes) -> list[bytes]:
    return [value for candidate, value in response.fields if candidate.lower() == name]


class CorsCase(SynchronousTestCase):
    origins: list[str] = [APP.decode()]

    def setUp(self) -> None:
        policy = {"allowed_origins": self.origins, "allowed_methods": ["GET", "POST"]}
        self.cors = Cors(RoutingTable([an_api("openai", policy), an_api("closed")], "openai"))
        self.inner = Inner()

    def preflight(self, origin: bytes, target: bytes = b"/v1/models", *more: Field) -> ApiResponse:
        fields = [(b"Origin", origin), (b"Access-Control-Request-Method", b"POST"), *more]
        return self.successResultOf(self.cors.respond(a_request(b"OPTIONS", target, fields), self.inner))

    def ask(self, origin: bytes | None, response: ApiResponse, target: bytes = b"/v1/models") -> ApiResponse:
        fields = [] if origin is None else [(b"Origin", origin)]
        responding = self.cors.respond(a_request(b"GET", target, fields), self.inner)
        self.inner.answer(response)
        return self.successResultOf(responding)


class PreflightTests(CorsCase):
    def test_allowed(self) -> None:
        """A page of an allowed origin learns what it may send, and nothing is spent on it."""
        response = self.preflight(APP, b"/v1/models", (b"Access-Control-Request-Headers", b"authorization,x-team"))
        self.assertEqual((response.status, response.body), (204, None))
        self.assertEqual(values(response, b"access-control-allow-origin"), [APP])
        self.assertEqual(values(response, b"access-control-allow-methods"), [b"GET, POST, HEAD"])
        self.assertEqual(values(response, b"access-control-allow-headers"), [b"authorization,x-team"])
        self.assertEqual(values(response, b"access-control-max-age"), [b"86400"])
        self.assertIn(b"Origin", values(response, b"vary")[0])
        self.assertEqual(self.inner.requests, [])

    def test_refused(self) -> None:
        """A page of another origin is told nothing that its browser could use."""
        response = self.preflight(EVIL)
        self.assertEqual(response.status, 403)
        self.assertEqual(values(response, b"access-control-allow-origin"), [])
        self.assertEqual(self.inner.requests, [])

    def test_recorded(self) -> None:
        """A refused preflight is recorded with its API and code."""
        fields = [(b"Origin", EVIL), (b"Access-Control-Request-Method", b"POST")]
        request = a_request(b"OPTIONS", b"/v1/models", fields)
        self.successResultOf(self.cors.respond(request, self.inner))
        record = request.record
        self.assertEqual((record.api, record.error_code, record.ended), ("openai", "origin_not_allowed", "refused"))

    def test_long_list(self) -> None:
        """A list of fields beyond all measure is not repeated."""
        response = self.preflight(APP, b"/", (b"Access-Control-Request-Headers", b"x," * 5000))
        self.assertLess(len(values(response, b"access-control-allow-headers")[0]), 100)

    def test_not_for_browsers(self) -> None:
        """An API without origins answers no preflight: what comes is a request like any other."""
        fields = [(b"Origin", APP), (b"Access-Control-Request-Method", b"POST")]
        self.cors.respond(a_request(b"OPTIONS", b"/closed/v1", fields), self.inner)
        self.assertEqual(len(self.inner.requests), 1)

    def test_plain_options(self) -> None:
        """An OPTIONS that is no preflight is a request like any other."""
        self.cors.respond(a_request(b"OPTIONS", b"/v1", [(b"Origin", APP)]), self.inner)
        self.assertEqual(len(self.inner.requests), 1)


class AnswerTests(CorsCase):
    def test_allowed(self) -> None:
        """A page of an allowed origin can read answers and errors; what upstream said of origins is replaced."""
        theirs = [(b"access-control-allow-origin", b"*"), (b"Access-Control-Allow-Credentials", b"true"), (b"A", b"1")]
        theirs += [(b"X-RateLimit-Limit-Images", b"5"), (b"Access-Control-Expose-Headers", b"X-Theirs, *")]
        for status in (200, 429):
            response = self.ask(APP, a_response(status, fields=list(theirs)))
            self.assertEqual(values(response, b"access-control-allow-origin"), [APP], status)
            self.assertEqual(values(response, b"access-control-allow-credentials"), [], status)
            (exposed,) = values(response, b"access-control-expose-headers")
            for name in (b"X-Request-ID", b"Retry-After", b"x-ratelimit-limit-images", b"x-theirs"):
                self.assertIn(name, exposed.split(b", "))
            self.assertEqual(values(response, b"vary"), [b"Origin"], status)
            self.assertEqual(values(response, b"a"), [b"1"], status)

    def test_vary_once(self) -> None:
        """Origin is not said twice in Vary."""
        response = self.ask(APP, a_response(fields=[(b"Vary", b"Accept, origin")]))
        self.assertEqual(values(response, b"vary"), [b"Accept, origin"])

    def test_untouched(self) -> None:
        """Without an origin, from another one, or of an API that is not for browsers, an answer stays as it was."""
        for origin, target in ((None, b"/v1"), (EVIL, b"/v1"), (APP, b"/closed/v1")):
            response = a_response(fields=[(b"Access-Control-Allow-Origin", b"*")])
            self.assertIs(self.ask(origin, response, target), response)
            self.assertEqual(response.fields, [(b"Access-Control-Allow-Origin", b"*")], (origin, target))


class AnyOriginTests(CorsCase):
    origins = ["*"]

    def test_star(self) -> None:
        """Where every origin is allowed, the answer is the same for all of them."""
        self.assertEqual(values(self.preflight(EVIL), b"access-control-allow-origin"), [b"*"])
        response = self.ask(EVIL, a_response())
        self.assertEqual(values(response, b"access-control-allow-origin"), [b"*"])
        self.assertEqual(values(response, b"vary"), [])
