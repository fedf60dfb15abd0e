"""Tests for L{llmproxy.core.http2.allowance}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2 import allowance
from llmproxy.core.http2.allowance import Allowance
from llmproxy.core.http2.frames import ConnectionFault, ErrorCode


class AllowanceTests(SynchronousTestCase):
    def spent(self, one: Allowance, cost: int) -> int:
        """How often C{cost} can be paid."""
        count = 0
        while count < 100_000:
            try:
                one.spend(cost)
            except ConnectionFault as fault:
                self.assertEqual(fault.code, ErrorCode.ENHANCE_YOUR_CALM)
                break
            count += 1
        return count

    def test_bounded(self) -> None:
        """There is an end to each kind, and it is beyond what honest clients do at once."""
        for cost in (allowance.RESET, allowance.EMPTY, allowance.SETTING, allowance.PINGED, allowance.UPDATE, 1):
            self.assertEqual(self.spent(Allowance(), cost), allowance.FULL // cost, cost)

    def test_time_gives_back(self) -> None:
        """What is within the rate goes on for ever."""
        one = Allowance()
        for second in range(3600):
            one.now = float(second)
            for _ in range(allowance.A_SECOND // allowance.RESET):
                one.spend(allowance.RESET)
        one.now += 1_000_000
        self.assertLessEqual(self.spent(one, 1), allowance.FULL + 2)

    def test_use_gives_back(self) -> None:
        """Updates of windows that come with content are paid for by it."""
        one = Allowance()
        for _ in range(100_000):
            one.earn(allowance.FOR_A_FRAME)
            one.spend(allowance.UPDATE)
            one.spend(allowance.UPDATE)
        self.assertEqual(self.spent(one, 1), allowance.FULL - 4)
