"""Tests for L{llmproxy.net.timers}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.timers import TimerWheel

from ..properties import examples


class WheelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.03)
        self.wheel = TimerWheel(self.clock, 0.1)
        self.passed: list[float] = []

    def note(self) -> None:
        self.passed.append(self.clock.seconds())

    def pump(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.01)):
            self.clock.advance(0.01)

    def test_notices(self) -> None:
        """A deadline passes once, never early and at most about two turns late."""
        self.wheel.start(0.5, self.note)
        self.pump(2)
        [at] = self.passed
        self.assertGreaterEqual(at, 1000.53)
        self.assertLess(at, 1000.53 + 0.21)

    def test_ended(self) -> None:
        """A deadline that was ended never passes, and nothing of it is kept."""
        deadline = self.wheel.start(0.5, self.note)
        deadline.end()
        deadline.end()
        self.pump(1)
        self.assertEqual(self.passed, [])
        self.assertEqual(self.wheel._slots, {})

    def test_moved(self) -> None:
        """A stream that keeps talking moves its deadline by writing a number, and is not cut."""
        deadline = self.wheel.start(0.5, self.note)
        for _ in range(20):
            self.pump(0.4)
            deadline.at = self.clock.seconds() + 0.5
        self.assertEqual(self.passed, [])
        self.pump(1)
        self.assertEqual(len(self.passed), 1)

    def test_one_timer(self) -> None:
        """However many deadlines there are, the reactor has one delayed call, and none when they are over."""
        deadlines = [self.wheel.start(n / 10, self.note) for n in range(100)]
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for deadline in deadlines:
            deadline.end()
        self.pump(11)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """A stopped wheel leaves no timer behind."""
        self.wheel.start(1, self.note)
        self.wheel.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_started_by_another(self) -> None:
        """A deadline may start the next one."""
        self.wheel.start(0.1, lambda: self.wheel.start(0.1, self.note))
        self.pump(1)
        self.assertEqual(len(self.passed), 1)

    def test_ends_its_neighbour(self) -> None:
        """A deadline that passes may end another that is due in the same turn."""
        others = []

        def end_the_others() -> None:
            self.note()
            for other in others:
                other.end()

        others += [self.wheel.start(0.5, end_the_others) for _ in range(5)]
        self.pump(1)
        self.assertEqual(len(self.passed), 1)

    def test_reactor_was_busy(self) -> None:
        """A turn that comes late takes along everything that became due meanwhile."""
        for n in range(10):
            self.wheel.start(n, self.note)
        self.clock.advance(100)
        self.assertEqual(len(self.passed), 10)

    @settings(max_examples=examples(50), deadline=None)
    @given(st.lists(st.floats(0, 20), max_size=20), st.sampled_from([0.01, 0.1, 0.5, 1.0]))
    def test_never_early(self, delays: list[float], resolution: float) -> None:
        """No deadline passes before its moment, and all do by two turns after the last one."""
        clock = Clock()
        wheel = TimerWheel(clock, resolution)
        passed: list[tuple[float, float]] = []
        for delay in delays:
            wheel.start(delay, lambda delay=delay: passed.append((delay, clock.seconds())))  # type: ignore[misc]
        for _ in range(int(22 / resolution)):
            clock.advance(resolution)
        self.assertEqual(sorted(d for d, _ in passed), sorted(delays))
        for delay, at in passed:
            self.assertGreaterEqual(at, delay, delay)
