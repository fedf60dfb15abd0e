"""One limit for many."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.sharedtimeout import SharedTimeout


class TurningClock(Clock):
    """As a reactor has it: what is called for in a turn is called in the next, after what has come is read."""

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        for call in [call for call in self.calls if call.getTime() <= self.seconds()]:
            self.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)


class WaitingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.late: list[float] = []
        self.waiting = SharedTimeout(self.clock, 0.5, lambda: self.late.append(self.clock.seconds()))

    def test_in_time(self) -> None:
        """What comes in time is passed on."""
        work: Deferred[str] = Deferred()
        result = self.waiting.limit(work, "late")
        self.clock.advance(0.4)
        work.callback("done")
        self.assertEqual(self.successResultOf(result), "done")
        self.clock.advance(1)
        self.assertEqual(self.late, [])

    def test_done_already(self) -> None:
        """What is done costs no timer."""
        work: Deferred[str] = Deferred()
        work.callback("done")
        self.assertEqual(self.successResultOf(self.waiting.limit(work, "late")), "done")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busy(self) -> None:
        """Where we come late ourselves, all that wait begin anew, up to a bound; else nothing is longer."""
        self.waiting = SharedTimeout(self.clock, 0.5, lambda: self.late.append(self.clock.seconds()), busy=1.0)
        result = self.waiting.limit(Deferred(), "late")
        self.clock.pump([0.4, 0.1, 0])
        self.assertEqual(self.successResultOf(result), "late")
        work: Deferred[str] = Deferred()
        results = [self.waiting.limit(each, "late") for each in (work, Deferred())]
        self.clock.pump([0.9, 0])
        work.callback("done")
        self.assertEqual(self.successResultOf(results[0]), "done")
        self.clock.pump([0.4, 0])
        self.assertNoResult(results[1])
        self.clock.pump([0.9, 0])
        self.assertEqual(self.successResultOf(results[1]), "late")

    def test_late(self) -> None:
        """Each is given up after its own time, and what it gives later is dropped."""
        works: list[Deferred[str]] = [Deferred() for _ in range(3)]
        results = []
        for work in works:
            results.append(self.waiting.limit(work, "late"))
            self.clock.advance(0.125)
        self.clock.pump([0.125, 0])
        self.assertEqual(self.successResultOf(results[0]), "late")
        self.assertNoResult(results[1])
        works[1].callback("done")
        self.clock.pump([0.125, 0, 0.125, 0, 0.125, 0])
        self.assertEqual([self.successResultOf(each) for each in results[1:]], ["done", "late"])
        self.assertEqual(self.late, [0.5, 0.75])
        works[0].callback("much later")
        works[2].callback("much later")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busy_ourselves(self) -> None:
        """What has come while we did something else is not given up unread."""
        self.clock = TurningClock()
        self.waiting = SharedTimeout(self.clock, 0.5, lambda: self.late.append(self.clock.seconds()))
        work: Deferred[str] = Deferred()
        result = self.waiting.limit(work, "late")
        self.clock.advance(3)
        work.callback("read after that")
        self.clock.advance(0)
        self.assertEqual((self.successResultOf(result), self.late), ("read after that", []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_timer(self) -> None:
        """A thousand lookups that wait are one delayed call, and those that ended are not kept."""
        works: list[Deferred[str]] = [Deferred() for _ in range(1000)]
        for work in works:
            self.waiting.limit(work, "late")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for work in works:
            work.callback("done")
        self.waiting.limit(Deferred(), "late")
        self.assertEqual(len(self.waiting._queue), 1)

    def test_begun_while_giving_up(self) -> None:
        """Who is told that it is late can begin again."""
        again: list[Any] = []

        def begin(_: str) -> None:
            again.append(self.waiting.limit(Deferred(), "late again"))

        self.waiting.limit(Deferred(), "late").addCallback(begin)
        self.waiting.limit(Deferred(), "late")
        self.clock.pump([0.5, 0])
        self.assertNoResult(again[0])
        self.clock.pump([0.5, 0])
        self.assertEqual(self.successResultOf(again[0]), "late again")

    def test_cancelled(self) -> None:
        """A client that leaves does no harm to what is waited for."""
        work: Deferred[str] = Deferred()
        result = self.waiting.limit(work, "late")
        result.addErrback(lambda reason: None)
        result.cancel()
        work.callback("done")
        self.clock.advance(1)
        self.assertEqual(self.late, [])

    def test_stop(self) -> None:
        """At the end nothing waits, and no timer is left."""
        result = self.waiting.limit(Deferred(), "late")
        self.waiting.stop()
        self.assertEqual(self.successResultOf(result), "late")
        self.assertEqual(self.clock.getDelayedCalls(), [])
