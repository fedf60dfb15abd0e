"""A report of usage: which way it is made. What it says is in tests/contracts/usagereports.py."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import UsageQuestion
from llmproxy.store import usagereport
from llmproxy.store.schema import settings, usage_records, usage_rollups
from llmproxy.store.usageends import KEPT_SINCE
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords

from ..tables import row
from ..usagereports import an_entry
from .databases import NOW, clock_at, opened

HOUR = 3600.0
BEGIN = NOW // 86_400 * 86_400


class ReportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)
        self.reports = UsageReports(self.database)
        entries = [
            an_entry(n, BEGIN + n * HOUR / 2 + 1, project_id=f"p{n % 2}", token_id=f"t{n % 4}", user=f"u{n % 3}")
            for n in range(200)
        ]
        self.successResultOf(UsageRecords(clock_at(), self.database).settle(entries))

    def write(self, *statements: Any) -> None:
        for statement in statements:
            self.successResultOf(
                self.database.run(lambda connection, statement=statement: connection.execute(statement))
            )

    def requests(self, *groups: str, **more: Any) -> list[tuple[Any, ...]]:
        report = self.successResultOf(self.reports.grouped(UsageQuestion(groups, **more)))
        return [(*row.keys.values(), row.sums.requests) for row in report.rows]

    def forget(self, hours: float) -> float:
        """Remove the records of so many hours, as retention does; since when there are others."""
        since = BEGIN + hours * HOUR
        ended = usage_records.c.ended_at
        self.write(
            delete(usage_records).where(ended < since), insert(settings).values(name=KEPT_SINCE, value=f"{since}")
        )
        return since

    def test_without_records(self) -> None:
        """Roll-ups answer for a time of which no single record is left."""
        before = [self.requests("token", "model", "day"), self.requests("user"), self.requests("project", "hour")]
        self.forget(1000)
        after = [self.requests("token", "model", "day"), self.requests("user"), self.requests("project", "hour")]
        self.assertEqual(after, before)

    def test_kept_since(self) -> None:
        """What single records alone can say is said of the time that they are there for, and the report says so."""
        since = self.forget(50)
        report = self.successResultOf(self.reports.grouped(UsageQuestion(("user", "token"))))
        self.assertEqual((report.since, report.totals.requests), (since, 100))
        self.assertEqual(sum(row.sums.requests for row in report.rows), 100)

    def test_whole_hours(self) -> None:
        """Values of a time whose single records are gone are of whole hours."""
        self.forget(1000)
        for tz in ("Asia/Kolkata", "UTC"):
            with row(tz):
                days = self.requests("day", "user", tz=tz, since=BEGIN, until=BEGIN + 48 * HOUR)
                self.assertEqual(sum(day[-1] for day in days), 96)

    def test_without_roll_ups(self) -> None:
        """A token's hours by model are of its single records, which are few; all tokens' are of roll-ups."""
        groups = ("hour", "token", "model")
        before = self.requests(*groups, tokens=("t1",))
        self.assertEqual(len(before), 50)
        self.write(delete(usage_rollups).where(usage_rollups.c.cube == 8, usage_rollups.c.level == 0))
        self.assertEqual(self.requests(*groups, tokens=("t1",)), before)
        self.assertEqual(self.requests(*groups), [])

    def test_many_series(self) -> None:
        """A filter that lets many series through is looked at with each."""
        expected = self.requests("day", "token", projects=("p0",), models=("gpt-4o",))
        self.assertEqual(sum(row[-1] for row in expected), 100)
        self.patch(usagereport, "FEW_SERIES", 1)
        self.assertEqual(self.requests("day", "token", projects=("p0",), models=("gpt-4o",)), expected)

    def test_one_statement(self) -> None:
        """A report is a handful of statements, whatever the span."""
        before = self.database.statements
        self.requests("day", "project", "model", tz="Europe/Berlin")
        self.assertLessEqual(self.database.statements - before, 20)
