"""Tests of L{llmproxy.middleware.strangers}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import LimitRule, UsageLimitSettings
from llmproxy.errors import InvalidToken, RateLimitExceeded, TokenRevoked, UpstreamReset
from llmproxy.limits.memory import MemoryLimits
from llmproxy.message import ApiResponse
from llmproxy.middleware.strangers import Strangers
from llmproxy.usagelimits import UsageLimits

from .fakes import PRINCIPAL, Inner, a_request, an_api

API = an_api()


class StrangersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.store = MemoryLimits(self.clock.seconds, lambda _: None)
        rule = LimitRule(UsageLimits(rpm_limit=2, max_parallel_requests=1), "address", unauthenticated=True)
        self.strangers = Strangers(UsageLimitSettings(rules=(rule,)), self.store, self.clock.seconds)
        self.inner = Inner()

    def ask(self, error: Exception, client: str = "192.0.2.1", known: bool = False) -> Deferred[ApiResponse]:
        request = a_request(api=API, principal=PRINCIPAL if known else None)
        request.client = client
        responding = self.strangers.respond(request, self.inner)
        self.inner.fail(error)
        return responding

    def test_counted(self) -> None:
        """So many of an address fail as they do, more are too many; another address has its own, and a minute ends."""
        for _ in range(2):
            self.failureResultOf(self.ask(InvalidToken()), InvalidToken)
        self.failureResultOf(self.ask(InvalidToken()), RateLimitExceeded)
        self.failureResultOf(self.ask(InvalidToken(), "192.0.2.2"), InvalidToken)
        self.clock.advance(62)
        self.failureResultOf(self.ask(InvalidToken()), InvalidToken)

    def test_others(self) -> None:
        """What is let in, and what fails for another reason, does not count."""
        for error, known in ((UpstreamReset(), True), (TokenRevoked(), True), (UpstreamReset(), False)):
            for _ in range(3):
                self.failureResultOf(self.ask(error, known=known), type(error))
        self.assertEqual(len(self.store.counters), 0)

    def test_store_that_asks(self) -> None:
        """It waits for a store that has to ask others."""
        reserve = self.store.reserve
        self.patch(self.store, "reserve", lambda parts: succeed(reserve(parts)))
        for expected in (InvalidToken, InvalidToken, RateLimitExceeded):
            self.failureResultOf(self.ask(InvalidToken()), expected)
