"""Tests for L{llmproxy.bench.open}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.load import SECOND
from llmproxy.bench.open import OpenLoop
from llmproxy.bench.values import LoadSpec

from .ends import REQUEST, Ends, Ticking

MS = 1_000_000


class OpenTests(SynchronousTestCase):
    def start(self, connections: int, rate: float, **what: Any) -> OpenLoop:
        spec = LoadSpec("open", "h", 1, REQUEST, connections=connections, rate=rate, length=2, **what)
        self.ends, self.clock = Ends(), Ticking(1)
        loop = OpenLoop(spec, lambda done: None, self.ends.slots(spec), self.clock)
        self.addCleanup(self.ends.close)
        self.addCleanup(loop.close)
        loop.connect()
        self.began = self.clock.now
        loop.begin(self.began)
        return loop

    def turn(self, loop: OpenLoop, milliseconds: float) -> None:
        """One turn at this time after the beginning, or a little more."""
        self.clock.now = self.began + int(milliseconds * MS)
        loop.until(self.clock.now + 10)

    def test_as_they_are_due(self) -> None:
        """Requests go out at the rate, whether or not the earlier ones were answered."""
        loop = self.start(10, 1000)
        self.turn(loop, 0)
        self.assertEqual(sum(self.ends.asked()), 1)
        self.turn(loop, 2.5)
        self.assertEqual(sum(self.ends.asked()), 2)

    def test_no_omission(self) -> None:
        """A server that stalls with every connection busy has the wait counted for those that could not be sent."""
        loop = self.start(1, 1000)
        self.turn(loop, 0)
        self.turn(loop, 100)
        self.assertEqual(sum(self.ends.asked()), 1)
        self.ends.answer()
        self.turn(loop, 100)
        self.turn(loop, 100.5)
        self.assertEqual(sum(self.ends.asked()), 1)
        self.ends.answer()
        self.turn(loop, 101)
        first, second = loop.result.latency.highest, loop.result.latency.percentile(1)
        self.assertGreaterEqual(first, 100 * MS)
        self.assertGreaterEqual(second, 99 * MS)
        self.assertEqual(loop.result.completed, 2)

    def test_late(self) -> None:
        """What the tool itself sends too late is told apart from what the server answers late."""
        loop = self.start(2, 1000)
        self.turn(loop, 7)
        self.assertGreaterEqual(loop.result.late.highest, 7 * MS)

    def test_unfinished(self) -> None:
        """What never came counts with the time that it has waited, and not as answered."""
        loop = self.start(1, 1000)
        self.turn(loop, 0)
        now = self.clock.now = self.began + 3 * MS - 1
        # The clock jumps over what would be waited.
        self.clock._tick = 2 * SECOND
        loop.finish(now)
        self.assertEqual((loop.result.unfinished, loop.result.completed), (3, 0))
        self.assertGreaterEqual(loop.result.latency.highest, SECOND)

    def test_phase(self) -> None:
        """Two load processes take turns rather than send at the same moments."""
        loop = self.start(2, 1000, phase=0.0005)
        self.turn(loop, 0)
        self.assertEqual(sum(self.ends.asked()), 0)
        self.turn(loop, 0.5)
        self.assertEqual(sum(self.ends.asked()), 1)
