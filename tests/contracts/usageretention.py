"""What the retention of single records of usage does, whatever the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from llmproxy.core.reports import UsageQuestion
from llmproxy.store import usageretention
from llmproxy.store.database import Database
from llmproxy.store.schema import usage_records, usage_values
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords
from llmproxy.store.usageretention import UsageRetention

from ..store.databases import NOW, clock_at
from ..usagereports import an_entry

DAY = 86_400.0


class UsageRetentionContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()

    def settle(self, *days: float) -> None:
        entries = [an_entry(at, NOW - day * DAY, user="anna") for at, day in enumerate(days)]
        assert self.done(UsageRecords(self.clock, self.database).settle(entries)) == len(days)

    def clear(self, keep: float = 30 * DAY) -> None:
        self.done(Deferred.fromCoroutine(UsageRetention(self.clock, self.database, keep).clear()))

    def left(self) -> list[float]:
        query = select(usage_records.c.ended_at)
        rows = self.done(self.database.read(lambda connection: connection.scalars(query).all()))
        return sorted((NOW - row) / DAY for row in rows)

    def report(self, *groups: str) -> Any:
        return self.done(UsageReports(self.database).grouped(UsageQuestion(groups)))

    def test_old(self) -> None:
        """What ended long enough ago goes, to the moment; the sums of all stay, for ever."""
        self.settle(0, 10, 30, 30.5, 400)
        before = [self.report(), self.report("day", "model"), self.report("user")]
        self.clear()
        assert self.left() == [0, 10, 30], self.left()
        assert [self.report(), self.report("day", "model"), self.report("user")] == before
        self.clear()
        assert self.left() == [0, 10, 30]

    def test_says_since_when(self) -> None:
        """A report of single records says from when on they are there, and that never goes back."""
        self.settle(0, 10, 40)
        assert self.report("user", "session").totals.requests == 3
        self.clear()
        self.clear(60 * DAY)
        report = self.report("user", "session")
        assert report.totals.requests == 2, report
        assert NOW - 30 * DAY <= report.since < NOW - 30 * DAY + 900, report

    def test_batches(self) -> None:
        """However many there are, a transaction removes a bounded number, and a round too."""
        self.settle(*(40 + number / 100 for number in range(25)))
        self.patch(usageretention, "BATCH", 3)  # type: ignore[attr-defined]
        self.patch(usageretention, "MOST_BATCHES", 5)  # type: ignore[attr-defined]
        for left in (10, 0, 0):
            self.clear()
            assert len(self.left()) == left, self.left()

    def test_settled_late(self) -> None:
        """What comes after its time is counted, and goes in the next round."""
        self.settle(40)
        self.clear()
        late = an_entry(77, NOW - 50 * DAY)
        self.done(UsageRecords(self.clock, self.database).settle([late]))
        self.clear()
        assert (self.left(), self.report().totals.requests) == ([], 2)

    def test_values(self) -> None:
        """How many values there were of a day is forgotten with its records, and not before."""
        self.settle(0, 29, 31, 400)
        self.clear()
        days = self.done(self.database.read(lambda connection: connection.scalars(select(usage_values.c.day)).all()))
        assert sorted(set(days)) == [int((NOW - 29 * DAY) // DAY), int(NOW // DAY)], days

    def test_nothing(self) -> None:
        """Where nothing is to be removed, nothing is written."""
        self.settle(0)
        count = select(func.count()).select_from(usage_records)
        self.clear()
        assert self.done(self.database.read(lambda connection: connection.scalar(count))) == 1
        assert self.report().since is None
