"""A look at the clock."""

from __future__ import annotations

import sys
import threading
from typing import Any

from twisted.internet.task import Clock

from llmproxy.doctor import look_clock
from llmproxy.doctor.look_clock import WATCHED, kept, look_at_clock

from ..tables import row
from .subjects import SubjectTestCase


class Library:
    def __init__(self, state: int) -> None:
        self.state = state

    def adjtimex(self, _: Any) -> int:
        return self.state


class ClockTests(SubjectTestCase):
    def test_jump(self) -> None:
        """What the time of day moves beside a clock that nobody sets is a jump."""
        for jump in (0.0, 2.0, -2.0):
            day, steady = Clock(), Clock()
            day.advance(1_800_000_000)

            def sleep(seconds: float, day: Clock = day, steady: Clock = steady, jump: float = jump) -> None:
                self.assertAlmostEqual(seconds, WATCHED)
                steady.advance(seconds)
                day.rightNow += seconds + jump

            facts = look_at_clock(self.subject(), day.seconds, steady.seconds, sleep)
            with row(jump):
                self.assertAlmostEqual(facts.jumped, jump, places=3)
                self.assertEqual((facts.year, facts.skews, facts.newest), (2027, (), None))

    def test_others_hang(self) -> None:
        """A database that says nothing keeps the clock from nothing."""
        self.patch(look_clock, "ASKED_FOR", 0.1)
        release = threading.Event()
        self.addCleanup(release.set)
        self.patch(look_clock, "newest_record", lambda *_: release.wait(60))
        facts = look_at_clock(self.subject(), sleep=lambda _: None)
        self.assertEqual((facts.newest, facts.skews), (None, ()))

    def test_kept(self) -> None:
        self.assertEqual([kept(Library(state)) for state in (0, 1, 5, -1)], [True, True, False, None])
        self.assertIsNone(kept(object()))
        if sys.platform == "linux":
            self.assertIn(kept(), (True, False, None))
