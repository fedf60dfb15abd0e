"""Tests for L{llmproxy.core.breaker}."""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import BreakerSettings
from llmproxy.core.breaker import EVIDENCE, Circuit
from llmproxy.core.causes import LOCAL
from llmproxy.message import Cause

SETTINGS = BreakerSettings(threshold=3, cooldown=30.0)


def closed() -> Circuit:
    return Circuit(SETTINGS)


def fail(circuit: Circuit, at: float = 0.0) -> bool:
    """A request that begins and fails."""
    return circuit.failed(begin(circuit, at), at, "reset")


def begin(circuit: Circuit, at: float = 0.0) -> int:
    ticket = circuit.admit(at)
    assert ticket is not None
    return ticket


def opened(at: float = 0.0) -> Circuit:
    circuit = closed()
    for _ in range(SETTINGS.threshold):
        fail(circuit, at)
    return circuit


def half_open(at: float = 30.0) -> tuple[Circuit, int]:
    """And the probe's ticket."""
    circuit = opened()
    return circuit, begin(circuit, at)


class TransitionTests(SynchronousTestCase):
    """Each row of the table in the module's docstring."""

    def test_success_forgets_failures(self) -> None:
        """Failures count only in a row."""
        circuit = closed()
        for _ in range(5):
            fail(circuit)
            fail(circuit)
            circuit.succeeded(begin(circuit))
        self.assertEqual((circuit.state, circuit.failures), ("closed", 0))

    def test_opens_at_threshold(self) -> None:
        """The last allowed failure in a row opens it, not an earlier one."""
        circuit = closed()
        self.assertEqual([fail(circuit), fail(circuit)], [False, False])
        self.assertEqual(circuit.state, "closed")
        self.assertTrue(fail(circuit, 7.0))
        self.assertEqual((circuit.state, circuit.until, circuit.failures), ("open", 37.0, 3))
        self.assertEqual(circuit.reason, "reset")

    def test_began_before_the_last_success(self) -> None:
        """Slow requests that fail after a fast one was answered say nothing of now."""
        circuit = closed()
        slow = [begin(circuit) for _ in range(9)]
        circuit.succeeded(begin(circuit))
        for ticket in slow:
            circuit.failed(ticket, 5.0)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 0))
        fail(circuit)
        self.assertEqual(circuit.failures, 1)

    def test_success_of_the_slow(self) -> None:
        """A request that began long ago and is answered now shows that upstream works now."""
        circuit = closed()
        slow = begin(circuit)
        fail(circuit)
        fail(circuit)
        circuit.succeeded(slow)
        self.assertEqual(circuit.failures, 0)

    def test_one_event_is_one_failure(self) -> None:
        """What runs when upstream is started anew fails all at once, and is one failure."""
        circuit = closed()
        for ticket in [begin(circuit) for _ in range(20)]:
            circuit.failed(ticket, 0.0)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 1))

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
        circuit, probe = half_open()
        circuit.succeeded(probe)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 0))
        self.assertIsNotNone(circuit.admit(31.0))

    def test_probe_fails(self) -> None:
        """A bad probe opens it for another cooldown."""
        circuit, probe = half_open(30.0)
        self.assertTrue(circuit.failed(probe, 40.0))
        self.assertEqual((circuit.state, circuit.until), ("open", 70.0))

    def test_probe_abandoned(self) -> None:
        """A probe whose client left makes room for the next request at once."""
        circuit, probe = half_open(30.0)
        circuit.abandoned(probe, 31.0)
        self.assertEqual(circuit.state, "open")
        self.assertIsNotNone(circuit.admit(31.0))

    def test_abandoned_while_closed(self) -> None:
        """A client that leaves says nothing of upstream."""
        circuit = closed()
        fail(circuit)
        circuit.abandoned(begin(circuit), 0.0)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 1))

    def test_late_results(self) -> None:
        """Requests that began before the opening neither close it, nor open it again."""
        circuit = closed()
        late = [begin(circuit) for _ in range(9)]
        for _ in range(SETTINGS.threshold):
            fail(circuit)
        circuit.succeeded(late[0])
        circuit.failed(late[1], 20.0)
        circuit.abandoned(late[2], 20.0)
        self.assertEqual((circuit.state, circuit.until), ("open", 30.0))
        circuit.succeeded(begin(circuit, 30.0))
        for ticket in late:
            circuit.failed(ticket, 31.0)
        self.assertEqual((circuit.state, circuit.failures), ("closed", 0))

    def test_tickets_of_another(self) -> None:
        """Several circuits for the same requests share their tickets."""
        circuit = closed()
        self.assertEqual([circuit.admit(0.0, 7), circuit.admit(0.0, 9)], [7, 9])
        circuit.failed(7, 0.0)
        circuit.failed(9, 0.0)
        self.assertEqual((circuit.failures, circuit.latest), (1, 9))

    def test_switched_off(self) -> None:
        """A threshold of 0 never opens."""
        circuit = Circuit(BreakerSettings(0, 30.0))
        for _ in range(100):
            fail(circuit)
        self.assertEqual(circuit.state, "closed")


class EvidenceTests(SynchronousTestCase):
    def test_every_cause(self) -> None:
        """It is decided for each cause what it says something of."""
        self.assertEqual(set(EVIDENCE), set(get_args(Cause)))

    def test_ours(self) -> None:
        """What this machine lacks, and what is our own decision, is no failure of upstream."""
        for cause in (*LOCAL, "response_header_timeout", "silence_timeout", "request_timeout", "name_server"):
            self.assertEqual(EVIDENCE[cause], "none", cause)
