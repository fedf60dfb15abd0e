"""Tests for L{llmproxy.store.upkeep}."""

from __future__ import annotations

from sqlalchemy import select
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import UsageQuestion
from llmproxy.store.duty import EVERY
from llmproxy.store.schema import usage_answers
from llmproxy.store.upkeep import Upkeep
from llmproxy.store.usageanswers import KEPT_FOR
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords

from ..usagereports import an_entry
from .databases import NOW, clock_at, opened, project, token


class UpkeepTests(SynchronousTestCase):
    def test_off_by_default(self) -> None:
        """Tokens stay for ever unless somebody says for how long; nothing runs once it has stopped."""
        for keep, left in ((None, 1), (3600.0, 0)):
            clock = clock_at()
            database = opened(self, clock=clock)
            self.successResultOf(database.projects.create(project()))
            self.successResultOf(database.tokens.create(token(expires_at=NOW - 3601)))
            upkeep = Upkeep(clock, database, keep)
            upkeep.start()
            clock.advance(EVERY)
            self.assertEqual(len(self.successResultOf(database.tokens.list())), left, (keep, left))
            self.successResultOf(upkeep.stop())
            self.assertEqual(clock.getDelayedCalls(), [], (keep, left))

    def test_answers(self) -> None:
        """Which answers were counted is forgotten when nobody can fetch them any more, however long records stay."""
        clock = clock_at()
        database = opened(self, clock=clock)
        for noted in (NOW, NOW - KEPT_FOR - 1):
            clock.rightNow = noted
            entry = an_entry(int(NOW - noted), noted, answer_id=f"r{noted}")
            self.successResultOf(UsageRecords(clock, database).settle([entry]))
        clock.rightNow = NOW
        upkeep = Upkeep(clock, database)
        upkeep.start()
        clock.advance(EVERY)
        query = select(usage_answers.c.id)
        found = self.successResultOf(database.read(lambda connection: connection.scalars(query).all()))
        self.assertEqual(found, [f"r{NOW}"])
        self.successResultOf(upkeep.stop())

    def test_records(self) -> None:
        """Single records of usage stay as long as somebody says."""
        for keep, left in ((None, 1), (3600.0, 0)):
            clock = clock_at()
            database = opened(self, clock=clock)
            self.successResultOf(UsageRecords(clock, database).settle([an_entry(1, NOW - 3601)]))
            upkeep = Upkeep(clock, database, keep_records=keep)
            upkeep.start()
            clock.advance(EVERY)
            page = self.successResultOf(UsageReports(database).records(UsageQuestion(), 5))
            self.assertEqual(len(page.items), left, (keep, left))
            self.successResultOf(upkeep.stop())
