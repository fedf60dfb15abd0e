"""Tests for L{llmproxy.net.clocksteps}. A clock that is set is in tests/integration/test_ledgeroutages.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.clocksteps import LEAST, ClockSteps


class Settable(Clock):
    """A clock that can be set back; what is called in its thread is called at once."""

    def callFromThread(self, call: Callable[..., Any], *arguments: Any) -> None:
        call(*arguments)


class ClockStepsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Settable()
        self.clock.advance(10_000)
        self.passed = 0.0
        self.steps = ClockSteps(self.clock, self.clock.seconds, lambda: self.passed)
        self.steps._apart = self.clock.seconds()
        self.called: list[str] = []

    def later(self, name: str, seconds: float) -> Any:
        return self.clock.callLater(seconds, self.called.append, name)

    def set_back(self, seconds: float) -> None:
        """What has been waiting keeps the time of day that it was to be called at."""
        self.clock.rightNow -= seconds

    def advance(self, seconds: float) -> None:
        self.passed += seconds
        self.clock.advance(seconds)

    def test_set_back(self) -> None:
        """What was to be called in some seconds is called then, what was made since too, and nothing twice."""
        for name, seconds in (("soon", 0.25), ("later", 30.0)):
            self.later(name, seconds)
        cancelled = self.later("never", 5.0)
        self.set_back(3600)
        self.later("since", 0.5)
        cancelled.cancel()
        self.advance(1.0)
        self.steps.look()
        self.advance(0.0)
        self.assertEqual(self.called, ["since", "soon"])
        self.steps.look()
        self.advance(28.9)
        self.assertEqual(self.called, ["since", "soon"])
        self.advance(0.2)
        self.assertEqual(self.called, ["since", "soon", "later"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_to_do(self) -> None:
        """Time that passes, a clock that is set ahead, and a little are no such steps."""
        self.later("later", 5000.0)
        for step in (0.0, LEAST / 2, -3600.0):
            self.set_back(step)
            self.advance(1.0)
            self.steps.look()
            self.assertEqual(self.called, [], step)
        self.advance(5000.0 - 3600.0 + LEAST)
        self.assertEqual(self.called, ["later"])

    def test_two(self) -> None:
        """Two proxies in one process do it once."""
        other = ClockSteps(self.clock, self.clock.seconds, lambda: self.passed)
        other._apart = self.clock.seconds()
        self.later("later", 100.0)
        self.set_back(3600)
        for steps in (self.steps, other):
            steps.look()
        self.advance(99.0)
        self.assertEqual(self.called, [])
        self.advance(1.5)
        self.assertEqual(self.called, ["later"])

    def test_thread(self) -> None:
        """It runs where there are threads, and ends with the proxy."""
        for reactor in (Clock(), self.clock):
            steps = ClockSteps(reactor)
            steps.start()
            steps.stop()
            steps.stop()
        self.assertTrue(hasattr(ReactorBase, "getDelayedCalls"))
