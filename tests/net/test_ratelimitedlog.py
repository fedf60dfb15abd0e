"""Saying once in a while what happens all the time."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.ratelimitedlog import RateLimitedLog


class _Log:
    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    def warn(self, text: str, *, area: str, kind: str, why: str, count: int) -> None:
        assert text.format(area=area, kind=kind, why=why, count=count).startswith(f"cache: {kind}: x")
        self.said.append((kind, count))


class RateLimitedLogTests(SynchronousTestCase):
    def test_once_an_interval(self) -> None:
        """A thousand faults are two lines, and the second one says how many there were."""
        clock, log = Clock(), _Log()
        complaints = RateLimitedLog(clock, log, "cache", 30.0)
        for _ in range(1000):
            complaints.say("late", "x")
        complaints.say("other", "x")
        clock.advance(30)
        complaints.say("late", "x")
        self.assertEqual(log.said, [("late", 1), ("other", 1), ("late", 1000)])
