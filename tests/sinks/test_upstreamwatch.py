"""A look at upstreams."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.circuits import CircuitState
from llmproxy.core.upstreamreports import UpstreamReport
from llmproxy.sinks.eventbus import EventBus
from llmproxy.sinks.upstreamwatch import UpstreamWatch


class UpstreamWatchTests(SynchronousTestCase):
    def test_changes(self) -> None:
        """What happens is published within a second, once."""
        clock, kinds = Clock(), []
        bus = EventBus(clock)
        bus.subscribe(lambda events, sizes: kinds.extend(each.kind for each in events))
        reports = [UpstreamReport("a", "east")]
        circuits: list[CircuitState] = []
        watch = UpstreamWatch(clock, bus, lambda: reports, lambda: circuits)
        watch.start()
        clock.advance(1)
        self.assertEqual(kinds, [])
        reports[0] = evolve(reports[0], ejected=1, ejections=1)
        circuits.append(CircuitState("a", "", "", "open", 5, "it was reset", 30.0, 1))
        clock.pump([1, 1, 1])
        self.assertEqual(kinds, ["upstream.ejected", "upstream.circuit_open"])
        reports[0] = evolve(reports[0], ejected=0)
        del circuits[:]
        clock.advance(1)
        self.assertEqual(kinds[2:], ["upstream.recovered", "upstream.circuit_closed"])
        watch.stop()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_broken_look(self) -> None:
        """A look that fails is not the last one."""
        clock, looks = Clock(), []

        def broken() -> list[UpstreamReport]:
            looks.append(1)
            raise RuntimeError("oops")

        watch = UpstreamWatch(clock, EventBus(clock), broken, list)
        watch.start()
        clock.pump([1, 1])
        watch.stop()
        self.assertEqual(len(looks), 3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
