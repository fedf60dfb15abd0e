"""Tests for L{llmproxy.net.slices}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.steps import Steps
from llmproxy.errors import BadRequest
from llmproxy.net.slices import Slices

from ..tables import row


class Turns(Clock):
    """A clock that time passes on within a turn: what is asked for then comes in the next, as in a reactor."""

    passed = 0.0

    def seconds(self) -> float:
        return super().seconds() + self.passed

    def turn(self) -> float:
        """@return: seconds that it took."""
        self.rightNow, self.passed = self.seconds() + 1e-9, 0.0
        calls, self.calls = self.calls, []
        for call in calls:
            call.called = 1
            call.func(*call.args, **call.kw)
        return self.passed


class Working:
    """Work of some slices, each of which takes its time on C{clock}."""

    def __init__(self, clock: Turns, slices: int, takes: float = 0.004) -> None:
        self.clock, self.slices, self.takes = clock, slices, takes
        self.done = 0
        self.closed = False

    def steps(self) -> Steps[str]:
        try:
            while self.done < self.slices:
                self.done += 1
                self.clock.passed += self.takes
                yield
        finally:
            self.closed = True
        return "whole"


class SlicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Turns()
        self.slices = Slices(self.clock)

    def test_short(self) -> None:
        """What fits into the first slice is done without a turn of the reactor."""
        self.assertEqual(self.successResultOf(self.slices.run(Working(self.clock, 0).steps())), "whole")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_budget(self) -> None:
        """A turn ends with the slice in which its budget is used up."""
        work = Working(self.clock, 7)
        result = self.slices.run(work.steps())
        self.assertEqual(work.done, 1)
        for done in (3, 5, 7):
            with row(done):
                self.assertNoResult(result)
            self.clock.turn()
            self.assertEqual(work.done, done, done)
        self.clock.turn()
        self.assertEqual(self.successResultOf(result), "whole")
        self.clock.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_shared(self) -> None:
        """Many at once have the budget of one, and a short one need not wait for a long one."""
        long, short = Working(self.clock, 100), Working(self.clock, 3)
        cancelled = self.slices.run(long.steps())
        result = self.slices.run(short.steps())
        for _ in range(5):
            self.assertLessEqual(self.clock.turn(), 0.0081)
        self.assertEqual(self.successResultOf(result), "whole")
        self.assertLess(long.done, 20)
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)

    def test_refused(self) -> None:
        """What the work raises is how it fails, in the first slice and later."""

        def steps(slices: int) -> Steps[None]:
            for _ in range(slices):
                yield
            raise BadRequest("no")

        self.failureResultOf(self.slices.run(steps(0)), BadRequest)
        later = self.slices.run(steps(2))
        self.clock.turn()
        self.clock.turn()
        self.failureResultOf(later, BadRequest)

    def test_cancelled(self) -> None:
        """When the client leaves, no further slice is done and nothing is held."""
        work = Working(self.clock, 100)
        result = self.slices.run(work.steps())
        self.clock.turn()
        done = work.done
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.clock.turn()
        self.clock.turn()
        self.assertEqual((work.done, work.closed), (done, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])
