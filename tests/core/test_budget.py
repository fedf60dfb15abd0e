"""Tests for L{llmproxy.core.budget}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.budget import Budget


class BudgetTests(SynchronousTestCase):
    def test_shared(self) -> None:
        """All holders together never have more than the budget, and one that is refused has taken nothing."""
        budget = Budget(10)
        one, other = budget.lease(), budget.lease()
        self.assertTrue(one.take(6))
        self.assertFalse(other.take(5))
        self.assertTrue(other.take(4))
        self.assertEqual((budget.used, budget.peak), (10, 10))
        one.give(1)
        self.assertTrue(other.take(1))
        one.end()
        one.end()
        other.give(100)
        self.assertEqual((budget.used, budget.peak), (0, 10))

    def test_no_limit(self) -> None:
        """Without a limit it only counts."""
        budget = Budget(None)
        self.assertTrue(budget.lease().take(1 << 40))
        self.assertEqual(budget.used, 1 << 40)
