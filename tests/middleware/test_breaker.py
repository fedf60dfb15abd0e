"""Tests for L{llmproxy.middleware.breaker}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.breaker import BreakerSettings
from llmproxy.errors import (
    BreakerOpen,
    RequestBodyTimeout,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmproxy.message import ApiResponse, Principal
from llmproxy.middleware.breaker import Breaker

from .fakes import PRINCIPAL, HeldBody, Inner, Reader, a_request, a_response, an_api

API = an_api(settings={"breaker": BreakerSettings(3, 30.0)})
OTHER = Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, id="p-2"))


class BreakerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock)
        self.inner = Inner()

    def begin(self, principal: Principal = PRINCIPAL) -> Deferred[ApiResponse]:
        return self.breaker.respond(a_request(api=API, principal=principal), self.inner)

    def answered(self, response: ApiResponse) -> ApiResponse:
        responding = self.begin()
        self.inner.answer(response)
        return self.successResultOf(responding)

    def fails(self, error: Exception) -> None:
        responding = self.begin()
        self.inner.fail(error)
        self.failureResultOf(responding, type(error))

    def body(self) -> tuple[HeldBody, Deferred[None]]:
        held = HeldBody()
        body = self.answered(a_response(200, held)).body
        assert body is not None
        return held, body.startProducing(Reader())

    def open(self) -> None:
        for _ in range(3):
            self.fails(UpstreamReset())
        self.assertRaises(BreakerOpen, self.begin)

    def test_statuses(self) -> None:
        """Upstream's 502, 503 and 504 pass, and are counted; then nobody asks it any more."""
        for status in (502, 503, 504):
            self.assertEqual(self.answered(a_response(status)).status, status)
        error = self.assertRaises(BreakerOpen, self.begin)
        self.assertEqual((error.status, error.fields), (503, ((b"Retry-After", b"30"),)))
        self.assertEqual((self.inner.pending, self.breaker.not_closed), ([], 1))

    def test_other_statuses(self) -> None:
        """Answers about one request say nothing of upstream's health."""
        for status in (400, 401, 429, 500, 501, 529) * 3:
            self.answered(a_response(status))
        self.begin()

    def test_faults(self) -> None:
        """No connection, a reset and a timeout count alike."""
        self.fails(UpstreamUnreachable())
        self.fails(UpstreamReset())
        self.fails(UpstreamTimeout("response_header"))
        self.assertRaises(BreakerOpen, self.begin)

    def test_ours_and_the_clients(self) -> None:
        """What the client or we did is not held against upstream."""
        for _ in range(5):
            self.fails(RequestBodyTimeout())
            responding = self.begin()
            responding.cancel()
            self.inner.pending.clear()
            self.failureResultOf(responding, CancelledError)
        self.begin()

    def test_left_in_body(self) -> None:
        """Nor is a client that leaves in mid-stream, or a stream that took too long in all."""
        for _ in range(5):
            _, producing = self.body()
            producing.cancel()
            self.failureResultOf(producing, CancelledError)
            held, producing = self.body()
            held.fail(UpstreamTimeout("request"))
            self.failureResultOf(producing, UpstreamTimeout)
        self.begin()

    def test_broken_bodies(self) -> None:
        """An upstream that breaks off every answer is found out, though its heads are good."""
        for _ in range(3):
            held, producing = self.body()
            held.fail(UpstreamReset())
            self.failureResultOf(producing, UpstreamReset)
        self.assertRaises(BreakerOpen, self.begin)

    def test_whole_answer(self) -> None:
        """A whole answer forgets the failures before it."""
        for _ in range(4):
            self.fails(UpstreamReset())
            self.fails(UpstreamReset())
            held, producing = self.body()
            held.end()
            self.successResultOf(producing)
        self.begin()

    def test_probe(self) -> None:
        """After the cooldown one request is let through; its head closes the circuit."""
        self.open()
        self.clock.advance(29.5)
        error = self.assertRaises(BreakerOpen, self.begin)
        self.assertEqual(error.fields, ((b"Retry-After", b"1"),))
        self.clock.advance(0.5)
        probe = self.begin()
        self.assertRaises(BreakerOpen, self.begin)
        self.inner.answer(a_response(200, HeldBody()))
        self.successResultOf(probe)
        self.begin()
        self.assertEqual(self.breaker.not_closed, 0)

    def test_probe_fails(self) -> None:
        """A failed probe means another cooldown."""
        self.open()
        self.clock.advance(30)
        self.fails(UpstreamReset())
        self.clock.advance(29)
        self.assertRaises(BreakerOpen, self.begin)
        self.clock.advance(1)
        self.begin()

    def test_probe_left(self) -> None:
        """A probe whose client left, or that another layer refused, makes room for the next."""
        self.open()
        self.clock.advance(30)
        probe = self.begin()
        probe.cancel()
        self.inner.pending.clear()
        self.failureResultOf(probe, CancelledError)
        self.fails(RequestBodyTimeout())
        self.begin()

    def test_late_failures(self) -> None:
        """Requests that began before the opening do not keep it open."""
        late = [self.begin() for _ in range(3)]
        pending, self.inner.pending = self.inner.pending, []
        self.open()
        self.clock.advance(20)
        for responding, waiting in zip(late, pending, strict=True):
            waiting.errback(UpstreamReset())
            self.failureResultOf(responding, UpstreamReset)
        self.clock.advance(10)
        self.begin()

    def test_tenants(self) -> None:
        """One tenant's broken key stops nobody else."""
        self.open()
        self.begin(OTHER)
        self.assertEqual(len(self.inner.pending), 1)

    def test_bounded(self) -> None:
        """However many tenants there are, no more circuits are kept than is said."""
        self.breaker = Breaker(self.clock, most_circuits=3)
        for number in range(10):
            self.begin(Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, id=f"p-{number}")))
        self.assertEqual(len(self.breaker._circuits), 3)
