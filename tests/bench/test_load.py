"""Tests for L{llmproxy.bench.load}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.load import SECOND, measure
from llmproxy.bench.values import LoadSpec, Result

from .ends import Ticking


class Loop:
    """
    Answers one request each time that it runs, and fails once while it warms up.

    @ivar windows: until when it was to run, each time.
    """

    def __init__(self, spec: LoadSpec, clock: Ticking) -> None:
        self.spec, self.clock = spec, clock
        self.result = Result()
        self.windows: list[int] = []
        self.finished = 0

    def connect(self) -> None:
        raise AssertionError("is connected already")

    def begin(self, now: int) -> None:
        self.began = now

    def until(self, end: int) -> None:
        if not self.windows:
            self.result.fail("connect")
        self.windows.append(end)
        self.result.latency.record(5)
        self.clock.now = end

    def finish(self, now: int) -> None:
        self.finished = now
        self.result.fail("stuck")


class MeasureTests(SynchronousTestCase):
    def test_windows(self) -> None:
        """What is answered while warming up is not counted; errors are, and are told apart."""
        clock = Ticking()
        loop = Loop(LoadSpec("closed", "h", 1, "", warmup=0.5, duration=2.0), clock)
        result = measure(loop, before=77)
        self.assertEqual(result.completed, 1)
        self.assertEqual(result.errors, {"connect (warming up)": 1, "stuck": 1})
        warm, measured = loop.windows
        self.assertLess(abs(warm - loop.began - SECOND // 2), SECOND // 100)
        self.assertLess(abs(measured - warm - 2 * SECOND), SECOND // 100)
        self.assertLess(abs(result.seconds - 2.0), 0.01)
        self.assertEqual((result.memory[0], loop.finished > 0), (77, True))

    def test_no_warming_up(self) -> None:
        """Then nothing is read before the window opens: what was asked for is all counted."""
        loop = Loop(LoadSpec("counted", "h", 1, "", warmup=0.0, duration=2.0), Ticking())
        measure(loop, before=0)
        self.assertEqual(len(loop.windows), 1)
