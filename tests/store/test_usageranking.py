"""The ranking of a report's rows with SQLite. What it finds is in tests/contracts/usagereports.py."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import UsageQuestion
from llmproxy.store import usageranking
from llmproxy.store.database import Database
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords

from ..contracts.usagereports import UsageReportsContract
from ..usagereports import an_entry
from .databases import NOW, clock_at, opened


class InTwoTests(UsageReportsContract, SynchronousTestCase):
    """Every report is ranked first, and what its rows have besides is added up then."""

    COUNT = 80

    def open(self) -> Database:
        self.patch(usageranking, "MANY", -1)
        return opened(self)


class TemporaryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)
        self.reports = UsageReports(self.database)
        entries = [an_entry(n, NOW + n * 9000.0, project_id=f"p{n % 7}", token_id=f"t{n % 14}") for n in range(150)]
        self.successResultOf(UsageRecords(clock_at(), self.database).settle(entries))

    def tables(self) -> list[Any]:
        query = "SELECT name FROM temp.sqlite_master"
        return self.successResultOf(self.database.read(lambda connection: connection.exec_driver_sql(query).all()))

    def test_nothing_is_left(self) -> None:
        """The tables are gone with the report, or with what it failed with; the next one is as good as ever."""
        question = UsageQuestion(("day", "token"), top=3)
        self.successResultOf(self.reports.grouped(question))
        self.assertEqual(self.tables(), [])

        def broken(*_: Any) -> Any:
            raise ZeroDivisionError

        whole = usageranking._SqliteRanking._named
        self.patch(usageranking._SqliteRanking, "_named", broken)
        self.failureResultOf(self.reports.grouped(question), ZeroDivisionError)
        self.assertEqual(self.tables(), [])
        self.patch(usageranking._SqliteRanking, "_named", whole)
        self.assertEqual(len(self.successResultOf(self.reports.grouped(question)).rows), 3)

    def test_series_that_are_looked_for(self) -> None:
        """A filter that lets few series through of many has each looked up, whatever else a block has."""
        statements: list[str] = []
        run = usageranking._Ranking._run

        def noted(self: Any, statement: str, *parameters: Any) -> Any:
            statements.append(statement)
            return run(self, statement, *parameters)

        self.patch(usageranking._Ranking, "_run", noted)
        for question, expected in (
            (UsageQuestion(("day", "token"), tokens=("t3",)), True),
            (UsageQuestion(("day", "token")), False),
        ):
            statements.clear()
            report = self.successResultOf(self.reports.grouped(question))
            [ranking] = [each for each in statements if "TABLE usage_ranking" in each]
            self.assertEqual("s ON s.cube = b.cube" in ranking, expected, question)
            self.assertEqual(sum(row.sums.requests for row in report.rows), report.totals.requests, question)
