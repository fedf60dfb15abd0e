"""Tests for L{llmproxy.middleware.hedging}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.middleware.hedging import Hedge
from llmproxy.net.timers import TimerWheel

from ..tables import row


class HedgeTests(SynchronousTestCase):
    """Outcomes are numbers: those above 0 are good."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = TimerWheel(self.clock)
        self.cancelled: list[str] = []
        self.discarded: list[int] = []
        self.first = self.attempt("first")
        self.second: Deferred[int] | None = self.attempt("second")
        self.made = 0

    def attempt(self, name: str) -> Deferred[int]:
        return Deferred(lambda _: self.cancelled.append(name))

    def make(self) -> Deferred[int] | None:
        self.made += 1
        return self.second

    def begin(self, first: Deferred[int] | None = None) -> Deferred[int]:
        first = self.first if first is None else first
        hedge = Hedge(self.wheel, first, 1.0, self.make, lambda number: number > 0, self.discarded.append)
        return hedge.result

    def pass_time(self) -> None:
        self.clock.pump([0.1] * 13)

    def test_at_once(self) -> None:
        """An attempt that is over needs no other one, and leaves no deadline."""
        self.assertEqual(self.successResultOf(self.begin(succeed(1))), 1)
        self.assertEqual((self.wheel.standing, self.made), (0, 0))

    def test_in_time(self) -> None:
        """Nor does one that is over in time, good or not."""
        result = self.begin()
        self.first.callback(-1)
        self.assertEqual(self.successResultOf(result), -1)
        self.assertEqual((self.wheel.standing, self.made), (0, 0))

    def test_second_is_faster(self) -> None:
        """The first good outcome counts, and the other attempt is cancelled."""
        result = self.begin()
        self.pass_time()
        assert self.second is not None
        self.second.callback(2)
        self.assertEqual(self.successResultOf(result), 2)
        self.assertEqual((self.cancelled, self.discarded), (["first"], []))

    def test_first_is_faster(self) -> None:
        """Whichever that is."""
        result = self.begin()
        self.pass_time()
        self.first.callback(1)
        self.assertEqual(self.successResultOf(result), 1)
        self.assertEqual(self.cancelled, ["second"])

    def test_bad(self) -> None:
        """One that is no good waits for the other; where both are none the later counts."""
        for later in (2, -2):
            self.setUp()
            result = self.begin()
            self.pass_time()
            self.first.callback(-1)
            with row(later):
                self.assertNoResult(result)
            assert self.second is not None
            self.second.callback(later)
            self.assertEqual((self.successResultOf(result), self.discarded), (later, [-1]), later)

    def test_none(self) -> None:
        """Where no second one can be made, the first is waited for."""
        self.second = None
        result = self.begin()
        self.pass_time()
        self.first.callback(-1)
        self.assertEqual((self.successResultOf(result), self.made), (-1, 1))

    def test_fails(self) -> None:
        """A fault is passed on."""
        result = self.begin()
        self.pass_time()
        self.first.errback(ZeroDivisionError())
        self.failureResultOf(result, ZeroDivisionError)
        self.assertEqual(self.cancelled, ["second"])

    def test_cancel(self) -> None:
        """Both are cancelled; what comes all the same goes nowhere."""
        for seconds in (False, True):
            self.setUp()
            self.first = Deferred(lambda first: first.callback(7))
            result = self.begin()
            if seconds:
                self.pass_time()
            result.cancel()
            self.failureResultOf(result, CancelledError)
            expected = ["second"] if seconds else []
            self.assertEqual((self.cancelled, self.wheel.standing), (expected, 0), seconds)
