"""No caller holds the process: the worst of each kind against each checker, measured against a plain request."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .benchmarks.turns import longest
from .worst import KINDS, plain

MOST = 200
"""
Times a plain request's longest turn, which takes some 0.25 ms: 50 ms. What C{python -m tests.benchmarks.turns} prints
is below 120; what grows with the square of what is sent is far above.
"""


class TurnTests(SynchronousTestCase):
    def test_longest(self) -> None:
        """Whatever is sent, others wait no longer than for some dozens of requests."""
        unit = longest(plain, 20)
        over = {name: round(seconds / unit) for name, seconds in _longest(unit) if seconds > MOST * unit}
        self.assertEqual(over, {})


def _longest(unit: float) -> list[tuple[str, float]]:
    found = []
    for name, kind in KINDS.items():
        seconds = longest(kind, 1)
        if seconds > MOST * unit:
            # Perhaps somebody else had the processor.
            seconds = longest(kind, 5)
        found.append((name, seconds))
    return found
