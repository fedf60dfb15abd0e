"""Lanes on threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.lanes import Lane


class LaneTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.calls: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def run_later(self, call: Callable[[], Any]) -> Deferred[Any]:
        later: Deferred[Any] = Deferred()
        self.calls.append((call, later))
        return later

    def finish(self, number: int) -> None:
        call, later = self.calls[number]
        later.callback(call())

    def test_in_order(self) -> None:
        """One at a time; another lane waits for nobody."""
        one, other = Lane(self.run_later), Lane(self.run_later)
        first, second, third = one(int, "1"), one(int, "2"), other(int, "3")
        self.assertEqual((len(self.calls), one.waiting), (2, 2))
        self.finish(1)
        self.assertEqual(self.successResultOf(third), 3)
        self.assertNoResult(first)
        self.finish(0)
        self.finish(2)
        self.assertEqual((self.successResultOf(first), self.successResultOf(second), one.waiting), (1, 2, 0))

    def test_idle(self) -> None:
        """It is known when nothing runs any more."""
        lane = Lane(self.run_later)
        self.successResultOf(lane.idle())
        running, idle = lane(int, "1"), lane.idle()
        self.assertNoResult(idle)
        self.finish(0)
        self.successResultOf(running)
        self.successResultOf(idle)
