"""Tests for L{llmproxy.management.state}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail

from llmproxy.management.state import NothingCounted, NothingWarm, State

from ..store.databases import project, token
from .world import RulesTestCase


class StateTests(RulesTestCase):
    def test_alone(self) -> None:
        """A change begins when the one before it has ended, also if that failed or was cancelled."""
        begun: list[str] = []
        gates = {name: Deferred[None]() for name in "abc"}

        async def change(name: str) -> str:
            begun.append(name)
            await gates[name]
            return name

        def start(name: str) -> Deferred[str]:
            return Deferred.fromCoroutine(self.state.alone(lambda: change(name)))

        first, second, third = start("a"), start("b"), start("c")
        self.assertEqual(begun, ["a"])
        gates["a"].errback(ValueError())
        self.failureResultOf(first, ValueError)
        self.assertEqual(begun, ["a", "b"])
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(begun, ["a", "b", "c"])
        gates["c"].callback(None)
        self.assertEqual(self.successResultOf(third), "c")
        self.assertFalse(self.state.changing.locked)

    def test_counts_away(self) -> None:
        """What cannot be written down is no reason to show or change nothing; a fault is."""
        self.counts.away = True
        self.done(self.state.flush())
        self.done(self.state.settle("t"))
        self.assertEqual(self.counts.asked, ["flush", "settle t"])

        class Broken(NothingCounted):
            def flush(self) -> Deferred[None]:
                return fail(ZeroDivisionError())

        broken = evolve(self.state, counts=Broken())
        self.failureResultOf(Deferred.fromCoroutine(broken.flush()), ZeroDivisionError)

    def test_serves_nobody(self) -> None:
        """Without a directory and counters, as on a command line, the same calls do nothing."""
        state = State(self.clock.seconds, self.database.projects, self.database.tokens)
        self.done(state.flush())
        self.done(state.settle("t"))
        nothing = NothingWarm()
        nothing.token_changed(token())
        nothing.project_changed(project())
        nothing.project_tokens_revoked("p1")
        nothing.person_revoked("o1")
