"""Tests for L{llmproxy.core.breaker}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.breaker import BreakerSettings, Circuit

SETTINGS = BreakerSettings(threshold=3, cooldown=30.0)


def closed() -> Circuit:
    return Circuit(SETTINGS)


def opened(at: float = 0.0) -> Circuit:
    circuit = closed()
    for _ in range(SETTINGS.threshold):
        circuit.failed(circuit.generation, at)
    return circuit


def half_open(at: float = 30.0) -> Circuit:
    circuit = opened()
    circuit.admit(at)
    return circuit


class TransitionTests(SynchronousTestCase):
    """Each row of the table in the module's docstring."""

    def test_success_forgets_failures(self) -> None:
        """Failures count only in a row."""
        circuit = closed()
        for _ in range(5):
            circuit.failed(0, 0.0)
            circuit.failed(0, 0.0)
            circuit.succeeded(0)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 0))

    def test_opens_at_threshold(self) -> None:
        """The last allowed failure in a row opens it, not an earlier one."""
        circuit = closed()
        circuit.failed(0, 0.0)
        circuit.failed(0, 0.0)
        self.assertEqual(circuit.state, "closed")
        circuit.failed(0, 7.0)
        self.assertEqual((circuit.state, circuit.until), ("open", 37.0))

    def test_refuses_while_open(self) -> None:
        """Until the cooldown has passed, nobody gets through."""
        circuit = opened()
        self.assertIsNone(circuit.admit(0.0))
        self.assertIsNone(circuit.admit(29.9))
        self.assertEqual(circuit.state, "open")

    def test_one_probe(self) -> None:
        """After the cooldown one request gets through, and only one."""
        circuit = opened()
        self.assertIsNotNone(circuit.admit(30.0))
        self.assertEqual(circuit.state, "half open")
        self.assertIsNone(circuit.admit(30.0))
        self.assertIsNone(circuit.admit(59.9))

    def test_silent_probe(self) -> None:
        """A probe that never reports is replaced after a cooldown, and means nothing any more."""
        circuit = opened()
        first = circuit.admit(30.0)
        second = circuit.admit(60.0)
        assert first is not None and second is not None
        circuit.failed(first, 61.0)
        circuit.succeeded(first)
        self.assertEqual(circuit.state, "half open")
        circuit.succeeded(second)
        self.assertEqual(circuit.state, "closed")

    def test_probe_succeeds(self) -> None:
        """A good probe closes it, with no failures remembered."""
        circuit = half_open()
        circuit.succeeded(circuit.generation)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 0))
        self.assertIsNotNone(circuit.admit(31.0))

    def test_probe_fails(self) -> None:
        """A bad probe opens it for another cooldown."""
        circuit = half_open(30.0)
        circuit.failed(circuit.generation, 40.0)
        self.assertEqual((circuit.state, circuit.until), ("open", 70.0))

    def test_probe_abandoned(self) -> None:
        """A probe whose client left makes room for the next request at once."""
        circuit = half_open(30.0)
        circuit.abandoned(circuit.generation, 31.0)
        self.assertEqual(circuit.state, "open")
        self.assertIsNotNone(circuit.admit(31.0))

    def test_abandoned_while_closed(self) -> None:
        """A client that leaves says nothing of upstream."""
        circuit = closed()
        circuit.failed(0, 0.0)
        circuit.abandoned(0, 0.0)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 1))

    def test_late_results(self) -> None:
        """Requests that began before the opening neither close it, nor open it again."""
        circuit = opened()
        circuit.succeeded(0)
        circuit.failed(0, 20.0)
        circuit.abandoned(0, 20.0)
        self.assertEqual((circuit.state, circuit.until), ("open", 30.0))
        probe = circuit.admit(30.0)
        assert probe is not None
        circuit.succeeded(probe)
        for _ in range(9):
            circuit.failed(0, 31.0)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 0))

    def test_switched_off(self) -> None:
        """A threshold of 0 never opens."""
        circuit = Circuit(BreakerSettings(0, 30.0))
        for _ in range(100):
            circuit.failed(0, 0.0)
        self.assertEqual(circuit.state, "closed")
