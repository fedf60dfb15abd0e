"""Tests for L{llmproxy.core.circuits}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import BreakerSettings
from llmproxy.core.circuits import MOST_MODELS, Circuits


class CircuitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.circuits = Circuits("openai", "p", BreakerSettings(2, 30.0))

    def ticket(self) -> int:
        ticket = self.circuits.connection.admit(0.0)
        assert ticket is not None
        return ticket

    def fail(self, model: str, ticket: int | None = None) -> bool:  # type: ignore[override]
        ticket = self.ticket() if ticket is None else ticket
        circuit = self.circuits.failing(model, ticket)
        return circuit is not None and circuit.failed(ticket, 0.0, "x")

    def test_what_works_costs_nothing(self) -> None:
        """A model has a circuit from its first failure to its next success."""
        self.circuits.succeeded("a", self.ticket())
        self.assertEqual(self.circuits.models, {})
        self.fail("a")
        self.assertEqual(list(self.circuits.models), ["a"])
        self.circuits.succeeded("a", self.ticket())
        self.assertEqual(self.circuits.models, {})

    def test_one_event(self) -> None:
        """Requests for a model that ran together and failed together are one failure, though it had no circuit yet."""
        together = [self.ticket() for _ in range(9)]
        for ticket in together:
            self.assertFalse(self.fail("a", ticket), ticket)
        self.assertEqual(self.circuits.models["a"].failures, 1)
        self.assertTrue(self.fail("a"))

    def test_invented_names(self) -> None:
        """Names without end hold no memory, and do not push out a circuit that is open."""
        self.fail("open")
        self.fail("open")
        for number in range(MOST_MODELS * 3):
            self.fail(f"m{number}")
        self.assertEqual(len(self.circuits.models), MOST_MODELS)
        self.assertEqual(self.circuits.models["open"].state, "open")

    def test_all_open(self) -> None:
        """Where every place is taken by an open circuit, another model has none."""
        for number in range(MOST_MODELS):
            self.fail(f"m{number}")
            self.fail(f"m{number}")
        self.assertIsNone(self.circuits.failing("another", self.ticket()))

    def test_troubled(self) -> None:
        """What is shown: circuits that are not closed, or on the way there."""
        self.assertEqual(list(self.circuits.troubled()), [])
        self.fail("a")
        self.circuits.connection.failed(self.ticket(), 0.0)
        self.assertEqual([model for model, _ in self.circuits.troubled()], ["", "a"])
