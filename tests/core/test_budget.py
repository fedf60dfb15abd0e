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

    def test_owners(self) -> None:
        """However many leases an owner has, there is room for another one; a single lease may have all."""
        budget = Budget(90)
        self.assertTrue(budget.lease("alone").take(90))
        budget = Budget(90)
        greedy = [budget.lease("greedy") for _ in range(20)]
        self.assertEqual(sum(each.take(10) for each in greedy), 4)
        other = [budget.lease("other") for _ in range(20)]
        self.assertEqual(sum(each.take(10) for each in other), 2)
        self.assertTrue(budget.lease("third").take(10))
        self.assertFalse(greedy[0].take(1))
        for each in (*greedy, *other):
            each.end()
        self.assertEqual((budget.used, budget._of), (10, {"third": 10}))
        self.assertTrue(greedy[0].take(80))
