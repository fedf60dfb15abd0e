"""Tests for L{llmproxy.web.http1.phasetimer}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.clientlimits import Limits
from llmproxy.core.persistence import BODY, CLOSING, HEAD, IDLE, NOTHING, SENDING
from llmproxy.net.timers import TimerWheel
from llmproxy.web.http1.phasetimer import PhaseTimer

LIMITS = Limits(idle=20.0, head_time=4.0, body_silence=8.0, closing=2.0)


class PhaseTimerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.times: list[float] = []
        self.timer = PhaseTimer(TimerWheel(self.clock), LIMITS, lambda: self.times.append(round(self.clock.seconds())))

    def waits(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def test_each_phase(self) -> None:
        """Each phase has its own time, counted from when it began; in the last, nobody is in a hurry."""
        for phase, seconds in ((IDLE, 20), (HEAD, 4), (BODY, 8), (CLOSING, 2), (NOTHING, None)):
            self.setUp()
            self.waits(1)
            self.timer.wait_for(phase)
            self.waits(21)
            self.assertEqual(self.times[:1], [] if seconds is None else [1 + seconds], phase)

    def test_moved_on(self) -> None:
        """What begins anew is waited for from then on, without a timer of its own."""
        for _ in range(10):
            self.waits(15)
            self.timer.wait_for(IDLE)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(self.times, [])

    def test_whole(self) -> None:
        """A head has to come whole in its time, and something has to be taken: what was waited for goes on being so."""
        for phase, seconds in ((HEAD, 4), (SENDING, 60), (BODY, None), (CLOSING, None)):
            self.setUp()
            self.timer.wait_for(phase)
            for _ in range(62):
                self.waits(1)
                self.timer.wait_on(phase)
            self.assertEqual(self.times[:1], [] if seconds is None else [seconds], phase)

    def test_again(self) -> None:
        """If nothing is done about it, it is called again."""
        self.waits(23)
        self.assertGreater(len(self.times), 1)

    def test_end(self) -> None:
        """Nothing stays on the wheel, even if it ends because it was overdue."""
        self.timer.end()
        self.waits(30)
        self.assertEqual((self.times, self.clock.getDelayedCalls()), ([], []))
        ended: PhaseTimer = PhaseTimer(TimerWheel(self.clock), LIMITS, lambda: ended.end())
        self.waits(30)
        self.assertEqual(self.clock.getDelayedCalls(), [])
