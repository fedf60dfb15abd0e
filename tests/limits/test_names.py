"""Names of limits in Redis."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.limits.names import Names, bounds

from .fakes import BUDGET, REQUESTS


class NameTests(SynchronousTestCase):
    def test_one_tag(self) -> None:
        """The keys of one script are in one place of a cluster."""
        names = Names(b"p:")
        for name in (*names.of([REQUESTS, BUDGET]), names.process("x")):
            self.assertEqual(name.partition(b"{")[2].partition(b"}")[0], b"limits", name)

    def test_of(self) -> None:
        """Two for each rule, and others after it was set back."""
        first, second = Names(b"p:").of([BUDGET])
        self.assertEqual(second, first + b":held")
        self.assertNotEqual(Names(b"p:").of([evolve(BUDGET, since=5.0)]), (first, second))

    def test_bounds(self) -> None:
        """Budgets have windows, if they end."""
        self.assertEqual(bounds(REQUESTS, 0), (b"", b""))
        self.assertEqual(bounds(BUDGET, 86_400 * 2 + 1), (b"172800.000", b"259200.000"))
        self.assertEqual(bounds(evolve(BUDGET, window="total"), 5), (b"0.000", b""))
