"""Waiting for a thread."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store.queuedcall import QueuedCall


class TurnTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.running: Deferred[str] = Deferred()
        self.called = 0
        self.turn: QueuedCall[str] = QueuedCall(self.call)
        self.result = self.turn.result(self.running, self.clock, 10.0)

    def call(self) -> str:
        self.called += 1
        return "done"

    def test_in_time(self) -> None:
        """What gets its thread in time is done, however long it takes then."""
        self.clock.advance(9)
        answer = self.turn.take()
        self.clock.advance(100)
        self.assertNoResult(self.result)
        self.running.callback(answer)
        self.assertEqual(self.successResultOf(self.result), "done")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late(self) -> None:
        """What gets no thread in time fails, and is not done afterwards behind everybody's back."""
        self.clock.advance(10)
        self.failureResultOf(self.result, Unavailable)
        self.assertRaises(Unavailable, self.turn.take)
        self.running.callback("nobody waits")
        self.assertEqual(self.called, 0)

    def test_cancelled(self) -> None:
        """Who does not wait any more is not in the way of what runs."""
        self.result.cancel()
        self.failureResultOf(self.result, CancelledError)
        self.running.callback(self.turn.take())
        self.assertEqual(self.called, 1)

    def test_at_once(self) -> None:
        """Nothing is to be waited for where the answer is there."""
        running: Deferred[str] = Deferred()
        running.callback("there")
        waiting = len(self.clock.getDelayedCalls())
        self.assertEqual(self.successResultOf(self.turn.result(running, self.clock, 10.0)), "there")
        self.assertEqual(len(self.clock.getDelayedCalls()), waiting)
