"""Tests for L{llmproxy.app.shutdown}; tests/app/test_proxy.py has whole ones."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.shutdown import Shutdown


class Running:
    """Exchanges that end when the test says so, or when they are cut."""

    def __init__(self, in_flight: int = 1) -> None:
        self.in_flight = in_flight
        self.waiting: list[Deferred[None]] = []
        self.cut: list[str] = []

    def idle(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def cut_all(self, ending: str) -> None:
        self.cut.append(ending)
        self.end()

    def end(self) -> None:
        self.in_flight = 0
        for each in self.waiting:
            each.callback(None)


class Managing:
    running = 1

    def __init__(self) -> None:
        self.waiting: Deferred[None] = Deferred()

    def idle(self) -> Deferred[None]:
        return self.waiting


class ShutdownTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.running, self.stopped = Clock(), Running(), []  # type: ignore[var-annotated]
        self.shutdown = self.made(("one", self.stop("one")), ("two", self.stop("two")))

    def made(self, *stops: Any) -> Shutdown:
        return Shutdown(self.clock, self.running, 30.0, stops)

    def stop(self, name: str, result: Any = None) -> Any:
        def stop() -> Any:
            self.stopped.append(name)
            return result

        return stop

    def test_order(self) -> None:
        """Parts are stopped when the last exchange has ended, one after the other, and once."""
        held: Deferred[None] = Deferred()
        self.shutdown = self.made(("one", self.stop("one", held)), ("two", self.stop("two")))
        ends = [self.shutdown.now(), self.shutdown.now()]
        self.assertEqual((self.shutdown.draining, self.stopped), (True, []))
        self.running.end()
        self.assertEqual(self.stopped, ["one"])
        held.callback(None)
        self.assertEqual(self.stopped, ["one", "two"])
        for each in ends:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut(self) -> None:
        """What has not ended in time is cut; a time that was made shorter before holds."""
        self.shutdown.within(2.0)
        ending = self.shutdown.now()
        self.clock.advance(1.9)
        self.assertEqual(self.running.cut, [])
        self.clock.advance(0.2)
        self.assertEqual(self.running.cut, ["shutdown"])
        self.successResultOf(ending)

    def test_in_a_hurry(self) -> None:
        """Somebody who waits no longer cuts what runs, whether they say so before or while it drains."""
        for before in (True, False):
            self.setUp()
            if before:
                self.shutdown.end_drain()
            ending = self.shutdown.now()
            if not before:
                self.shutdown.end_drain()
            self.clock.advance(0)
            self.assertEqual(self.running.cut, ["shutdown"], before)
            self.successResultOf(ending)

    def test_fault(self) -> None:
        """A part that cannot be stopped is named, and keeps no other from being stopped."""
        self.running.in_flight = 0
        raising = self.stop("raising")

        def raises() -> None:
            raising()
            raise ValueError("at once")

        stops = (("a", raises), ("b", self.stop("b", fail(OSError("later")))), ("c", self.stop("c", succeed(None))))
        self.successResultOf(self.made(*stops).now())
        self.assertEqual(self.stopped, ["raising", "b", "c"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError, OSError)), 2)

    def test_management(self) -> None:
        """Its calls are made whole, within the same time."""
        for ends in (True, False):
            self.setUp()
            self.running.in_flight = 0
            managing = Managing()
            self.shutdown.wait_for(managing)  # type: ignore[arg-type]
            ending = self.shutdown.now()
            self.assertEqual(self.stopped, [], ends)
            if ends:
                managing.waiting.callback(None)
            else:
                self.clock.advance(30.0)
            self.successResultOf(ending)
            self.assertEqual(self.stopped, ["one", "two"], ends)

    def test_leaving(self) -> None:
        """It is said before it begins."""
        self.shutdown.leave()
        self.assertEqual((self.shutdown.leaving, self.shutdown.draining), (True, False))

    def test_delay(self) -> None:
        """Requests are taken until it has passed, and nothing is stopped before."""
        delay: Deferred[None] = Deferred()
        self.running.in_flight = 0
        self.shutdown.after(lambda: delay)
        ending = self.shutdown.now()
        self.assertEqual((self.shutdown.leaving, self.shutdown.draining, self.stopped), (True, False, []))
        delay.callback(None)
        self.successResultOf(ending)
        self.assertEqual((self.shutdown.draining, self.stopped), (True, ["one", "two"]))
