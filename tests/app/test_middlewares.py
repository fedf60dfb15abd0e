"""The middlewares that stand by themselves, as an application makes them."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.middlewares import (
    circuit_breaker,
    project_active_guard,
    request_logging,
    request_metrics,
    request_timeout,
    request_validation,
)
from llmproxy.bodies import BytesBody
from llmproxy.composition import chain
from llmproxy.config import ProxyConfig
from llmproxy.errors import BreakerOpen, ConfigError, MethodNotAllowed, UpstreamTimeout
from llmproxy.message import ApiResponse
from llmproxy.sinks.metrics import ProxyMetrics
from tests.middleware.fakes import HeldBody, Inner, Reader, a_request, a_response

from ..tables import row

KEY = "sk-" + "A" * 22


class MiddlewareTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.inner = Clock(), Inner()

    def answered(self, middleware: Any, response: ApiResponse, **request: Any) -> None:
        responding = chain(self.inner, middleware)(a_request(**request))
        self.inner.answer(response)
        body = self.successResultOf(responding).body
        if body is not None:
            body.startProducing(Reader())  # type: ignore[arg-type]

    def test_logging(self) -> None:
        """One line an exchange, without a query, and without a secret that stands in a path."""
        events: list[dict[str, Any]] = []
        middleware = request_logging(Logger(observer=events.append), seconds=self.clock.seconds)
        self.answered(middleware, a_response(200, BytesBody(b"abc")), target=f"/v1/{KEY}".encode())
        (event,) = events
        self.assertEqual((event["method"], event["status"], event["bytes_out"]), ("POST", 200, 3))
        self.assertNotIn(KEY, str(event))

    def test_metrics(self) -> None:
        """Each exchange is counted once, and an answer of 400 or more as an error."""
        metrics = ProxyMetrics()
        for status in (200, 500):
            self.answered(request_metrics(metrics, seconds=self.clock.seconds), a_response(status))
        self.assertEqual((metrics.request_count, metrics.error_count), (2, 1))

    def test_timeout(self) -> None:
        """An exchange has so many seconds: before its head it fails with 504, in its body it is cut."""
        respond = chain(self.inner, request_timeout(self.clock, 5))
        responding = respond(a_request())
        self.clock.pump([0.1] * 52)
        error = self.failureResultOf(responding, UpstreamTimeout).value
        self.assertEqual((error.status, error.code, self.inner.cancelled), (504, "timeout", 1))
        responding, body = respond(a_request()), HeldBody()
        self.inner.pending.pop(0)
        self.clock.pump([0.1] * 40)
        self.inner.answer(a_response(200, body))
        reading = self.successResultOf(responding).body.startProducing(Reader())  # type: ignore
        self.clock.pump([0.1] * 12)
        self.failureResultOf(reading, UpstreamTimeout)
        self.assertEqual((body.calls, self.clock.getDelayedCalls()), (["cancelled"], []))

    def test_no_time(self) -> None:
        """A limit that nothing could keep is refused when it is made."""
        for seconds in (0, -1, float("nan")):
            with row(seconds):
                self.assertRaises(ValueError, request_timeout, self.clock, seconds)

    def test_validation(self) -> None:
        """The rules are those of the configuration; a wrong one is refused when it is made."""
        rules = {"base_url": "https://api.example", "allowed_endpoints": ["/v1"], "allowed_methods": ["GET"]}
        respond = chain(self.inner, request_validation(self.clock, ProxyConfig(**rules)))
        self.failureResultOf(respond(a_request(b"POST", b"/v1/x")), MethodNotAllowed)
        respond(a_request(b"GET", b"/v1/x"))
        self.assertEqual(len(self.inner.requests), 1)
        wrong = ProxyConfig(**{**rules, "base_url": "api.example"})
        self.assertRaises(ConfigError, request_validation, self.clock, wrong)

    def test_circuit_breaker(self) -> None:
        """As in the reference: five 504 are passed on, the sixth request reaches nobody, a 200 later closes it."""
        breaker = circuit_breaker(seconds=self.clock.seconds)
        for _ in range(5):
            self.answered(breaker, a_response(504))
        self.failureResultOf(chain(self.inner, breaker)(a_request()), BreakerOpen)
        self.assertEqual(len(self.inner.requests), 5)
        self.clock.advance(30)
        self.answered(breaker, a_response(200))
        self.assertEqual(breaker.state, "closed")

    def test_guard(self) -> None:
        """One that is not enforced asks nobody, not even who it belongs to; an enforced one must be able to ask."""
        self.answered(project_active_guard(False, None), a_response(200))
        self.assertRaises(TypeError, project_active_guard, True, None)
