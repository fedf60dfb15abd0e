"""The ranking of a report's rows with SQLite. What it finds is in tests/contracts/usagereports.py."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import MOST_ROWS, UsageQuestion
from llmproxy.core.rollups import CUBES, WIDTHS
from llmproxy.core.usagesums import NUMBERS
from llmproxy.store import bulk, usageranking
from llmproxy.store.database import Database
from llmproxy.store.schema import usage_rollups, usage_series
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords
from llmproxy.store.usagereport import report
from llmproxy.store.usageseries import number_of

from ..contracts.usagereports import UsageReportsContract
from ..properties import examples
from ..tables import row
from ..usagereports import DAY, an_entry
from .databases import NOW, clock_at, opened


class InTwoTests(UsageReportsContract, SynchronousTestCase):
    """Every report is ranked first, and what its rows have besides is added up then."""

    COUNT = examples(80)

    def open(self) -> Database:
        self.patch(usageranking, "PLAIN", -1)
        self.patch(usageranking._SqliteRanking, "_is_short", lambda ranking, *_: not ranking._columns)
        return opened(self)


class RankedTests(UsageReportsContract, SynchronousTestCase):
    """No report is short enough for a plain statement."""

    COUNT = examples(80)

    def open(self) -> Database:
        self.patch(usageranking, "PLAIN", -1)
        return opened(self)


class PlainTests(SynchronousTestCase):
    """A report of little is made with few statements: pages have several of them."""

    def test_statements(self) -> None:
        database = opened(self)
        entries = [an_entry(n, NOW + n * 9000.0, project_id=f"p{n % 7}", token_id=f"t{n % 14}") for n in range(150)]
        self.successResultOf(UsageRecords(clock_at(), database).settle(entries))
        for question, most in (
            (UsageQuestion(("hour",)), 4),
            (UsageQuestion(("day", "model")), 4),
            (UsageQuestion(("token",), top=5), 4),
            (UsageQuestion(("token",), projects=("p3",), top=5), 5),
        ):
            made: list[str] = []

            def noted(connection: Any, cursor: Any, statement: str, *_: Any, made: list[str] = made) -> None:
                made.append(statement)

            def asked(connection: Any, question: UsageQuestion = question, noted: Any = noted) -> Any:
                event.listen(connection, "before_cursor_execute", noted)
                return report(connection, question)

            found = self.successResultOf(database.read(asked))
            self.assertEqual(sum(each.sums.requests for each in found.rows) > 0, True, question)
            self.assertLessEqual(len([each for each in made if each != "BEGIN"]), most, (question, made))


class TemporaryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(usageranking, "PLAIN", -1)
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

    def test_in_two(self) -> None:
        """Where few of many rows are shown the others are ranked only; where all are, all is added up at once."""
        self.patch(usageranking, "MANY", 50)
        for question, expected in (
            (UsageQuestion(("day", "token"), top=3), True),
            (UsageQuestion(("day", "token")), False),
            (UsageQuestion(("day",), top=3), False),
        ):
            tables: list[str] = []
            run = usageranking._Ranking._run

            def noted(self: Any, statement: str, *parameters: Any, tables: Any = tables, run: Any = run) -> Any:
                tables.append(statement)
                return run(self, statement, *parameters)

            with row(question):
                self.patch(usageranking._Ranking, "_run", noted)
                report = self.successResultOf(self.reports.grouped(question))
                self.patch(usageranking._Ranking, "_run", run)
                self.assertEqual(any("TABLE usage_blocks" in each for each in tables), expected)
                self.assertEqual(report.totals.requests, 150)

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


class ManyGroupsTests(SynchronousTestCase):
    COUNT = examples(100_000)

    def test_many_groups(self) -> None:
        """Of very many groups those that cost most are shown, all are counted, and all are in the totals."""
        database = opened(self)
        reports = UsageReports(database)
        begin = NOW // DAY * DAY
        everything, by_token = (
            next(cube for cube in CUBES if cube.dimensions == dimensions and not cube.valued)
            for dimensions in (frozenset(), frozenset({"project_id", "token_id"}))
        )

        def numbers(requests: int, cost: int) -> list[int]:
            return [{"requests": requests, "cost": cost}.get(name, 0) for name in NUMBERS]

        def fill(connection: Any) -> None:
            whole = [(everything, "", "", numbers(self.COUNT, sum(range(self.COUNT))))]
            tokens = [(by_token, "p", f"t{n:06}", numbers(1, n)) for n in range(self.COUNT)]
            for rows, levels in ((whole, (0, 3)), (tokens, (3,))):
                keys = [(cube.number, *ids, "", "", "", "", 0, "", "", "") for cube, *ids, _ in rows]
                bulk.insert(connection, usage_series, [(number_of(key), *key) for key in keys])
                for level in levels:
                    at = int(begin // WIDTHS[level])
                    made = [(key[0], level, at, number_of(key), *row[-1]) for key, row in zip(keys, rows, strict=True)]
                    bulk.insert(connection, usage_rollups, made)
                    if not level:
                        # A report goes on until the last of these.
                        last = (*made[0][:2], at + 95, *made[0][3:4], *numbers(0, 0))
                        bulk.insert(connection, usage_rollups, [last])

        self.successResultOf(database.run(fill))
        for groups, top in ((("token",), None), (("token",), 5), (("day", "token"), None), (("token", "project"), 3)):
            with row(groups, top):
                asking = reports.grouped(UsageQuestion(groups, begin, begin + DAY, top=top))
                report = self.successResultOf(asking)
                shown = top or MOST_ROWS
                self.assertEqual((len(report.rows), report.more), (shown, self.COUNT - shown))
                self.assertEqual(report.totals.requests, self.COUNT)
                self.assertEqual(report.rows[0].keys["token"], f"t{self.COUNT - 1:06}")
                self.assertEqual(report.rows[-1].sums.cost * 1_000_000, self.COUNT - shown)
