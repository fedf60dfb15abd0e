"""Tests of L{llmproxy.core.limits.verdicts}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import crossed, other_model

from ...tables import row


class CrossedTests(SynchronousTestCase):
    def test_shares(self) -> None:
        """Each share is told of when it is reached, and once."""
        rule = Rule("money", "token:t", 200, "max_budget of t", "1d", soft=120)
        for before, after, expected in (
            (0, 0, []),
            (0, 99, []),
            (0, 100, [50]),
            (100, 119, []),
            (119, 120, [0]),
            (100, 160, [0, 80]),
            (160, 199, []),
            (199, 250, [100]),
            (250, 400, []),
            (0, 1000, [0, 50, 80, 100]),
        ):
            with row(before, after):
                self.assertEqual([each.share for each in crossed(rule, before, after)], expected)


class OtherModelTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Only a budget that says so, and only for models that it names, each exactly."""
        said = (("a", "b"), ("b", "c"))
        for kind, over, model, expected in (
            ("money", "downgrade", "a", "b"),
            ("money", "downgrade", "b", "c"),
            ("money", "downgrade", "c", ""),
            ("money", "downgrade", "A", ""),
            ("money", "downgrade", "", ""),
            ("money", "refuse", "a", ""),
            ("money", "warn", "a", ""),
            ("tokens", "downgrade", "a", ""),
        ):
            with row(kind, over, model):
                rule = Rule(kind, "token:t", 1, "", over_budget=over, downgrade=said)  # type: ignore[arg-type]
                self.assertEqual(other_model(rule, model), expected)
