"""Tests for L{llmproxy.core.upstreamstate}."""

from __future__ import annotations

import math

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import BreakerSettings
from llmproxy.core.upstreamstate import MOST_EJECTED, TAU, UpstreamState, UpstreamStates
from tests.middleware.fakes import an_api, an_upstream
from tests.tables import row

SETTINGS = BreakerSettings(3, 10.0)


class LatencyTests(SynchronousTestCase):
    def test_peak(self) -> None:
        """A slow answer counts at once, fast ones little by little; what is not measured loses its weight."""
        state = UpstreamState()
        self.assertEqual(state.latency(0.0), 0.0)
        state.answered(1.0, 0.0)
        state.answered(5.0, 1.0)
        self.assertEqual(state.latency(1.0), 5.0)
        state.answered(1.0, 1.0 + TAU)
        self.assertAlmostEqual(state.latency(1.0 + TAU), 5 / math.e + (1 - 1 / math.e))
        self.assertLess(state.latency(1.0 + 10 * TAU), 0.01)


class PercentileTests(SynchronousTestCase):
    def test_lately(self) -> None:
        """Of the last hundred answers, once there are enough of them."""
        state = UpstreamState()
        for number in range(19):
            state.answered(float(number), 0.0)
        self.assertIsNone(state.percentile(0.9))
        for number in range(1000, 1100):
            state.answered(float(number), 0.0)
        for part, expected in ((0.0, 1000.0), (0.5, 1050.0), (0.95, 1095.0), (1.0, 1099.0)):
            with row(part):
                self.assertEqual(state.percentile(part), expected)


class EjectionTests(SynchronousTestCase):
    def standing(self, state: UpstreamState, now: float) -> str:
        return state.standing(now, circuit_open=False)

    def test_row_of_failures(self) -> None:
        """After so many in a row it rests; one that was good ends the row."""
        state = UpstreamState()
        self.assertEqual([state.failed(0.0, SETTINGS) for _ in range(2)], [False, False])
        state.answered(1.0, 0.0)
        self.assertEqual([state.failed(0.0, SETTINGS) for _ in range(3)], [False, False, True])
        self.assertEqual([self.standing(state, now) for now in (0.0, 9.9, 10.0)], ["resting", "resting", "well"])
        self.assertEqual(state.ejections, 1)

    def test_longer(self) -> None:
        """One that is no better when it is back rests for twice as long, and so on within a bound."""
        state = UpstreamState()
        now, rests = 0.0, []
        for _ in range(3 + 8):
            if state.failed(now, SETTINGS):
                rests.append(state.ejected_until - now)
                now = state.ejected_until
                self.standing(state, now)
        self.assertEqual(rests[:3], [10.0, 20.0, 40.0])
        self.assertEqual(rests[-1], MOST_EJECTED)

    def test_meanwhile(self) -> None:
        """What fails while it rests does not make it rest for longer."""
        state = UpstreamState()
        for _ in range(10):
            state.failed(0.0, SETTINGS)
        self.assertEqual((state.ejected_until, state.ejections), (10.0, 1))

    def test_back(self) -> None:
        """It comes back when the rest is over, or when it is no longer drained: from then on it grows."""
        state = UpstreamState()
        self.assertEqual(state.back_for(5.0), math.inf)
        for _ in range(3):
            state.failed(0.0, SETTINGS)
        self.standing(state, 12.0)
        self.assertEqual(state.back_for(12.0), 2.0)
        state.drain()
        state.undrain(20.0)
        self.assertEqual(state.back_for(21.0), 1.0)

    def test_standing(self) -> None:
        """What weighs most."""
        state = UpstreamState()
        self.assertEqual(state.standing(0.0, circuit_open=False, keys_rest=True), "resting")
        self.assertEqual(state.standing(0.0, circuit_open=True, keys_rest=True), "open")
        state.drain()
        self.assertEqual(state.standing(0.0, circuit_open=True), "drained")


class StatesTests(SynchronousTestCase):
    def test_survive(self) -> None:
        """An upstream that is where it was keeps its state over a change of the configuration; others begin anew."""
        one, two = an_upstream(name="one"), an_upstream(name="two", path_prefix=b"/two")
        before = UpstreamStates([an_api(upstreams=(one, two))])
        before.of(one).drain()
        before.of(two).drain()
        moved = an_upstream(name="two", path_prefix=b"/moved")
        same = an_upstream(name="one", weight=7)
        after = UpstreamStates([an_api(upstreams=(same, moved))], before)
        self.assertEqual([after.of(each).drained for each in (same, moved)], [True, False])
        self.assertIs(after.of(same), before.of(one))
        self.assertEqual([name for _, name, _ in after.all()], ["one", "two"])

    def test_unknown(self) -> None:
        """One that belongs to no API that is known has a state all the same."""
        states, upstream = UpstreamStates([]), an_upstream()
        self.assertIs(states.of(upstream), states.of(upstream))
        self.assertEqual(list(states.all()), [])
        self.assertIsNot(states.of(upstream), states.of(evolve(upstream, name="x")))
