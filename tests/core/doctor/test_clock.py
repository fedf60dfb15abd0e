"""The verdict on the clock."""

from __future__ import annotations

from llmproxy.core.doctor.clock import ClockFacts, SkewFacts, judge_clock

from .verdicts import VerdictTestCase


class ClockTests(VerdictTestCase):
    def test_table(self) -> None:
        kept = ("ok", "kept right")
        self.judged(
            judge_clock,
            [
                (ClockFacts(True), [kept]),
                (ClockFacts(None), [("note", "does not say")]),
                (ClockFacts(False), [("warning", "nothing keeps the clock right")]),
                (ClockFacts(True, year=1970), [("fault", "1970"), kept]),
                (ClockFacts(True, jumped=-3600), [("warning", "was set by -1 h"), kept]),
                (ClockFacts(True, newest=-90), [("warning", "1.5 min in the future"), kept]),
                (ClockFacts(True, newest=5.0), [kept]),
                (ClockFacts(True, skews=(SkewFacts("db", 0.02),)), [("ok", "db: its clock is 20 ms ahead of"), kept]),
                (ClockFacts(True, skews=(SkewFacts("db", -5.0),)), [("warning", "5 s behind this one"), kept]),
                (ClockFacts(True, skews=(SkewFacts("db", 60.0),)), [("fault", "1 min ahead of"), kept]),
            ],
        )
