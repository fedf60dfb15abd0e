"""Tests for L{llmproxy.core.inspection.steps}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.steps import Steps, finish


class FinishTests(SynchronousTestCase):
    def test_result(self) -> None:
        """All slices are done, and what they return or raise is what comes of it."""

        def steps(count: int, fault: Exception | None = None) -> Steps[int]:
            for _ in range(count):
                yield
            if fault is not None:
                raise fault
            return count

        self.assertEqual([finish(steps(0)), finish(steps(3))], [0, 3])
        self.assertRaises(KeyError, finish, steps(2, KeyError()))
