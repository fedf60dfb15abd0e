"""Answers that can be fetched again. More is in tests/contracts/usagerecords.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.store.usageanswers import counted_once

from ..usagereports import an_entry
from .databases import NOW, opened


class CountedOnceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)

    def judged(self, *entries: Entry) -> list[Entry]:
        return self.successResultOf(self.database.run(lambda connection: counted_once(connection, entries, NOW)))

    def test_others_cost_nothing(self) -> None:
        """Where no answer can be fetched again nothing is asked."""
        entries = [an_entry(1, NOW), an_entry(2, NOW)]
        asked = []
        for judged in ((), entries, [an_entry(1, NOW, answer_id="r")]):
            before = self.database.statements
            self.assertEqual(self.judged(*judged), list(judged), judged)
            asked.append(self.database.statements - before)
        self.assertEqual((asked[0], asked[2] - asked[0]), (asked[1], 3))

    def test_first_in_time(self) -> None:
        """In one batch the one that ended first counts, and all come back in their order."""
        late, early = an_entry(1, NOW + 5, answer_id="r"), an_entry(2, NOW, answer_id="r")
        found = self.judged(late, early)
        self.assertEqual([each.id for each in found], [late.id, early.id])
        self.assertEqual((found[0].input_tokens, found[0].cost, found[1]), (None, None, early))

    def test_hostile(self) -> None:
        """An id that a database cannot hold as it is is the same one each time."""
        bad = "r\0\ud800" + "x" * 1000
        first, again = (an_entry(n, NOW + n, answer_id=bad) for n in (1, 2))
        self.assertEqual(self.judged(first), [first])
        self.assertIsNone(self.judged(again)[0].input_tokens)
