"""Tests for L{llmproxy.core.retrybudget}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.retrybudget import MOST, RESERVE, RetryBudget


class RetryBudgetTests(SynchronousTestCase):
    def test_share(self) -> None:
        """Of a thousand requests that all fail, a share is made again, and the reserve."""
        budget = RetryBudget()
        made = 0
        for _ in range(1000):
            budget.deposit(0.2)
            made += budget.withdraw(0.0)
        self.assertLessEqual(abs(made - (200 + RESERVE)), 1)
        self.assertEqual(budget.refused, 1000 - made)

    def test_reserve(self) -> None:
        """Where there is hardly any traffic, some can be made each second, and no more are saved up."""
        budget = RetryBudget()
        self.assertEqual(sum(budget.withdraw(0.0) for _ in range(50)), RESERVE)
        self.assertEqual(sum(budget.withdraw(0.5) for _ in range(50)), RESERVE / 2)
        self.assertEqual(sum(budget.withdraw(1000.0) for _ in range(50)), RESERVE)

    def test_saved(self) -> None:
        """A long time without failures is no licence for a storm."""
        budget = RetryBudget()
        for _ in range(10_000):
            budget.deposit(1.0)
        self.assertEqual(sum(budget.withdraw(0.0) for _ in range(10_000)), MOST + RESERVE)
