"""Tests for L{llmproxy.app.ending}; tests/integration/test_embedding.py ends whole processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.ending import Ending


class Reactor(Clock):
    """@ivar triggers: what it calls before it stops."""

    def __init__(self) -> None:
        super().__init__()
        self.triggers: list[Callable[[], Deferred[None]]] = []

    def addSystemEventTrigger(self, phase: str, event: str, call: Callable[[], Deferred[None]]) -> Any:
        assert (phase, event) == ("before", "shutdown")
        self.triggers.append(call)
        return call

    def removeSystemEventTrigger(self, trigger: Any) -> None:
        self.triggers.remove(trigger)


class EndingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.ends: list[Deferred[None]] = []
        self.ending = Ending(self.reactor, self.end)

    def end(self) -> Deferred[None]:
        self.ends.append(Deferred())
        return self.ends[-1]

    def test_once(self) -> None:
        """Whoever asks waits for the one end, and who asks later has it at once."""
        first, second = self.ending.now(), self.ending.now()
        self.assertEqual(len(self.ends), 1)
        self.assertNoResult(first)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.ends[0].callback(None)
        self.successResultOf(first)
        self.successResultOf(self.ending.now())
        self.assertEqual(len(self.ends), 1)

    def test_failure(self) -> None:
        """A failure is told to who asked first."""
        first, second = self.ending.now(), self.ending.now()
        self.ends[0].errback(Failure(ZeroDivisionError()))
        self.failureResultOf(first, ZeroDivisionError)
        self.successResultOf(second)

    def test_reactor_stops(self) -> None:
        """The reactor waits for it; who asks meanwhile, as twistd does, asks for nothing new."""
        self.ending.with_reactor()
        self.ending.with_reactor()
        [stops] = self.reactor.triggers
        waiting = stops()
        self.assertNoResult(waiting)
        again = self.ending.now()
        self.ends[0].callback(None)
        self.successResultOf(waiting)
        self.successResultOf(again)
        self.assertEqual(len(self.ends), 1)

    def test_before_the_reactor(self) -> None:
        """One that has ended leaves nothing with the reactor."""
        self.ending.with_reactor()
        self.ending.now()
        self.ending.now()
        self.assertEqual(self.reactor.triggers, [])

    def test_clock(self) -> None:
        """A clock in place of a reactor never stops."""
        ending = Ending(Clock(), self.end)
        ending.with_reactor()
        ending.now()
        self.assertEqual(len(self.ends), 1)
