"""The verdict on what waits on disk."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.doctor.backlogs import BacklogFacts, LedgerFacts, SpoolFacts, judge_backlogs

from .verdicts import VerdictTestCase

LEDGER = LedgerFacts("/l", held=4, most=100, running=True)
SPOOL = SpoolFacts("audit", "/s/audit", most=1000)


class BacklogTests(VerdictTestCase):
    def test_ledger(self) -> None:
        fine = ("ok", "ledger: /l: nothing waits for long")
        for ledger, expected in (
            (None, [("skipped", "is off")]),
            (LedgerFacts(""), [("skipped", "in memory")]),
            (LEDGER, [fine]),
            (evolve(LEDGER, held=60), [("warning", "60 bytes of 100 bytes are used")]),
            (evolve(LEDGER, held=95), [("fault", "95 bytes of 100 bytes are used")]),
            (evolve(LEDGER, dead=1, running=False), [("note", "1 process ended"), fine]),
            (evolve(LEDGER, dead=2), [("note", "2 processes ended and left records behind; a running proxy"), fine]),
            (evolve(LEDGER, dead=None), [fine]),
            (evolve(LEDGER, waiting=2, oldest=900.0), [("warning", "for 15 min")]),
            (evolve(LEDGER, waiting=0, oldest=900.0), [fine]),
        ):
            self.judged(judge_backlogs, [(BacklogFacts(ledger), expected)])

    def test_spools(self) -> None:
        for spool, expected in (
            (SPOOL, [("ok", "sink audit: /s/audit: nothing waits")]),
            (evolve(SPOOL, size=10, oldest=7200), [("warning", "10 bytes wait for the receiver, the first for 2 h")]),
            (evolve(SPOOL, size=950), [("fault", "950 bytes wait")]),
            (evolve(SPOOL, letters=7), [("warning", "7 bytes of dead letters")]),
            (evolve(SPOOL, orphan=True), []),
            (evolve(SPOOL, orphan=True, size=5, letters=5), [("note", "10 bytes of a sink that the configuration")]),
        ):
            self.judged(judge_backlogs, [(BacklogFacts(None, (spool,)), [("skipped", "is off"), *expected])])
