"""Tests for L{llmproxy.management.circuits}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.circuits import CircuitState
from llmproxy.management.circuits import listed


class ListedTests(SynchronousTestCase):
    def test_order(self) -> None:
        """What refuses requests comes first; the rest of the order does not depend on who was asked first."""
        ordered = [
            CircuitState("a", "", "", "open", 5, "reset", 3.0, 1),
            CircuitState("a", "p", "m", "half open", 5, "reset", 0.0, 1),
            CircuitState("a", "p", "m", "half open", 5, "reset", 0.0, 2),
            CircuitState("b", "", "", "open", 5, "reset", 3.0, 1),
            CircuitState("a", "", "", "closed", 1, "reset", 0.0, 1),
        ]
        shuffled = [*ordered]
        Random(1).shuffle(shuffled)
        self.assertEqual(listed(shuffled), ordered)
