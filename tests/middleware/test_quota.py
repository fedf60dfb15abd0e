"""Tests for L{llmproxy.middleware.quota}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import BreakerOpen, RateLimitExceeded, Unavailable, UpstreamReset
from llmproxy.message import ApiRequest, ApiResponse
from llmproxy.middleware.quota import Limit

from .fakes import PRINCIPAL, FakeQuota, Inner, a_request, a_response


class LimitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.quota = FakeQuota()
        self.inner = Inner()
        self.request = a_request(principal=PRINCIPAL)

    def begin(self) -> Deferred[ApiResponse]:
        return Limit(self.quota).respond(self.request, self.inner)

    def test_answered(self) -> None:
        """An answered request has used up one."""
        responding = self.begin()
        self.request.record.attempts = 1
        self.inner.answer(a_response(500))
        self.successResultOf(responding)
        self.assertEqual(self.quota.balance, 1)

    def test_failed_upstream(self) -> None:
        """What upstream saw is used up, also if it failed."""
        responding = self.begin()
        self.request.record.attempts = 1
        self.inner.fail(UpstreamReset())
        self.failureResultOf(responding, UpstreamReset)
        self.assertEqual(self.quota.balance, 1)

    def test_never_sent(self) -> None:
        """A request that was refused further in uses up nothing."""
        responding = self.begin()
        self.inner.fail(BreakerOpen())
        self.failureResultOf(responding, BreakerOpen)
        self.assertEqual(self.quota.balance, 0)

    def test_raised(self) -> None:
        """The same if the responder itself refuses."""

        def refuse(request: ApiRequest) -> Deferred[ApiResponse]:
            raise BreakerOpen()

        self.assertRaises(BreakerOpen, Limit(self.quota).respond, self.request, refuse)
        self.assertEqual(self.quota.balance, 0)

    def test_left_before_sent(self) -> None:
        """A client that left before its request was sent used up nothing."""
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual((self.quota.balance, self.inner.cancelled), (0, 1))

    def test_waits(self) -> None:
        """Nothing goes on before the use is spent."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.assertEqual(self.inner.requests, [])
        self.quota.spending.callback(None)
        self.inner.requests[0].record.attempts = 1
        self.inner.answer(a_response())
        self.successResultOf(responding)
        self.assertEqual(self.quota.balance, 1)

    def test_answered_without_upstream(self) -> None:
        """An answer that upstream had no part in, to C{Max-Forwards: 0} for example, uses up nothing."""
        responding = self.begin()
        self.inner.answer(a_response())
        self.successResultOf(responding)
        self.assertEqual(self.quota.balance, 0)

    def test_used_up(self) -> None:
        """A spent token is told so, and its SDK not to try again."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.quota.spending.errback(RateLimitExceeded())
        error = self.failureResultOf(responding, RateLimitExceeded).value
        self.assertEqual(error.fields, ((b"x-should-retry", b"false"),))
        self.assertEqual((error.code, error.message), ("rate_limit_exceeded", "Token is used up"))
        self.assertIn("waiting does not help", error.description)
        self.assertEqual((self.quota.balance, self.inner.requests), (0, []))

    def test_quota_away(self) -> None:
        """If nobody can say whether a use is left, nothing is sent."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.quota.spending.errback(Unavailable())
        self.failureResultOf(responding, Unavailable)
        self.assertEqual(self.inner.requests, [])

    def test_left_while_spending(self) -> None:
        """A client that leaves meanwhile does not stop the spending, and gets its use back."""
        self.quota.spending = Deferred(lambda _: self.fail("the spending was cancelled"))
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.quota.spending.callback(None)
        self.assertEqual((self.quota.balance, self.inner.requests), (0, []))

    def test_left_while_refused(self) -> None:
        """A refusal that comes too late is no error of ours."""
        self.quota.spending = Deferred()
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.quota.spending.errback(RateLimitExceeded())
        self.assertEqual(self.quota.balance, 0)

    def test_left_after_spending(self) -> None:
        """Once the use was spent, a client that leaves cancels the call."""
        self.quota.spending = Deferred()
        responding = self.begin()
        self.quota.spending.callback(None)
        self.request.record.attempts = 1
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual((self.quota.balance, self.inner.cancelled), (1, 1))
