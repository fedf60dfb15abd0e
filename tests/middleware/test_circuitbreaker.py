"""One circuit around any responder."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import BreakerSettings
from llmproxy.bodies import BytesBody
from llmproxy.composition import chain
from llmproxy.errors import BreakerOpen, MissingToken, UpstreamReset, UpstreamTimeout
from llmproxy.message import ApiResponse
from llmproxy.middleware.circuitbreaker import CircuitBreaker

from .fakes import HeldBody, Inner, Reader, a_request, a_response


class CircuitBreakerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.inner = Clock(), Inner()
        self.breaker = CircuitBreaker(self.clock.seconds, BreakerSettings(threshold=2, cooldown=30.0))
        self.respond = chain(self.inner, self.breaker)

    def answered(self, status: int = 200, body: object = None) -> ApiResponse:
        responding = self.respond(a_request())
        self.inner.answer(a_response(status, body))
        return self.successResultOf(responding)

    def failed(self, error: Exception) -> None:
        responding = self.respond(a_request())
        self.inner.fail(error)
        self.failureResultOf(responding, type(error))

    def refused(self) -> BreakerOpen:
        error = self.failureResultOf(self.respond(a_request()), BreakerOpen).value
        assert isinstance(error, BreakerOpen)
        return error

    def test_opens_and_closes(self) -> None:
        """Failures are passed on; the next request reaches nobody; after the cooldown an answer closes it."""
        self.assertEqual([self.answered(504).status, self.answered(503).status], [504, 503])
        self.clock.advance(10)
        error = self.refused()
        self.assertEqual((error.status, error.code, error.fields), (503, "circuit_open", ((b"Retry-After", b"20"),)))
        self.assertIn("status 503", error.description)
        self.assertEqual(len(self.inner.requests), 2)
        self.clock.advance(20)
        self.answered(200)
        self.assertEqual(self.breaker.state, "closed")
        self.answered(502)
        self.assertEqual(self.breaker.state, "closed")

    def test_failures(self) -> None:
        """Transient statuses count, as answers and as errors, and exceptions from elsewhere; nothing else does."""
        for error, counts in (
            (UpstreamReset(), True),
            (UpstreamTimeout("request"), True),
            (OSError("refused"), True),
            (MissingToken(), False),
        ):
            with self.subTest(error=error):
                self.setUp()
                self.failed(error)
                self.failed(error)
                self.assertEqual(self.breaker.state, "open" if counts else "closed", (error, counts))

    def test_other_answers(self) -> None:
        """Any other answer forgets failures: they are counted in a row."""
        for status in (200, 404, 429, 500):
            with self.subTest(status=status):
                self.setUp()
                self.answered(503)
                self.answered(status)
                self.answered(503)
                self.assertEqual(self.breaker.state, "closed", status)

    def test_client_leaves(self) -> None:
        """Clients that leave say nothing of upstream; a probe that left makes room for another."""
        self.answered(503)
        self.answered(503)
        self.clock.advance(30)
        probe = self.respond(a_request())
        self.refused()
        probe.cancel()
        self.failureResultOf(probe)
        self.inner.pending.clear()
        self.answered(200)
        self.assertEqual(self.breaker.state, "closed")

    def test_broken_bodies(self) -> None:
        """An upstream that breaks every answer is found out; one that is stopped by its reader did nothing."""
        for _ in range(2):
            body = HeldBody()
            self.answered(200, body).body.startProducing(Reader()).addErrback(lambda _: None)  # type: ignore
            body.fail(UpstreamReset())
        self.assertEqual(self.breaker.state, "open")
        self.setUp()
        for _ in range(3):
            self.answered(200, HeldBody()).body.stopProducing()  # type: ignore[union-attr]
        self.assertEqual(self.breaker.state, "closed")

    def test_long_stream(self) -> None:
        """The head of a probe closes the circuit: nobody waits for the end of its stream."""
        self.answered(503)
        self.answered(503)
        self.clock.advance(30)
        self.answered(200, HeldBody())
        self.assertEqual(self.breaker.state, "closed")
        self.answered(200, BytesBody(b"x"))

    def test_own_statuses(self) -> None:
        """Whoever makes it says which statuses are failures."""
        breaker = CircuitBreaker(self.clock.seconds, BreakerSettings(threshold=1), lambda status: status == 429)
        self.respond = chain(self.inner, breaker)
        self.answered(503)
        self.assertEqual(breaker.state, "closed")
        self.answered(429)
        self.assertEqual(breaker.state, "open")
