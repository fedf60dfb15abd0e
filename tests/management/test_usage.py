"""Rules of usage: what may be asked, and what answers."""

from __future__ import annotations

from decimal import Decimal

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reportgroups import GROUPS
from llmproxy.core.reports import MOST_ROWS, UsageQuestion
from llmproxy.errors import BadRequest, NotFound, ProxyError, Unavailable
from llmproxy.management.usage import UsageParameters, UsageRules, question_of
from llmproxy.management.usageanswers import NAMED

from ..store.databases import NOW
from ..tables import row
from ..usagereports import DAY, MemoryReports, an_entry
from .world import RulesTestCase


class QuestionTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Texts become a question; what is not given is not asked."""
        for asked, question in (
            (UsageParameters(), UsageQuestion()),
            (UsageParameters(group_by="day, model"), UsageQuestion(("day", "model"))),
            (UsageParameters(since="24h"), UsageQuestion(since=NOW - DAY)),
            (UsageParameters(since="2h", until="1h"), UsageQuestion(since=NOW - 7200, until=NOW - 3600)),
            (UsageParameters(since="1h", until="1h"), UsageQuestion(since=NOW - 3600, until=NOW - 3600)),
            (UsageParameters(model="a, b,a,"), UsageQuestion(models=("a", "b"))),
            (UsageParameters(project_id="p", token_id="t"), UsageQuestion(projects=("p",), tokens=("t",))),
            (UsageParameters(api="x"), UsageQuestion(apis=("x",))),
            (UsageParameters(tz="Asia/Kathmandu", top=3), UsageQuestion(tz="Asia/Kathmandu", top=3)),
            (
                UsageParameters(since="2023-11-14", tz="Asia/Kathmandu"),
                UsageQuestion(since=1_699_899_300, tz="Asia/Kathmandu"),
            ),
        ):
            with row(self, asked):
                self.assertEqual(question_of(asked, NOW), question)

    def test_refused(self) -> None:
        """The words name the parameter."""
        for asked, words in (
            (UsageParameters(group_by="x"), "group_by: unknown group"),
            (UsageParameters(since="x"), "from: expected"),
            (UsageParameters(until="x"), "to: expected"),
            (UsageParameters(tz="x"), "tz: unknown"),
            (UsageParameters(since="1h", until="2h"), "is before from"),
            (UsageParameters(top=0), "top: expected 1"),
            (UsageParameters(top=MOST_ROWS + 1), "top: expected 1"),
            (UsageParameters(api=",".join(map(str, range(101)))), "api: 101 values"),
        ):
            with row(self, asked):
                self.assertIn(words, self.assertRaises(BadRequest, question_of, asked, NOW).description)


class UsageTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.reports = MemoryReports([an_entry(n, NOW - n * DAY, project_id="p1", cost="1.5") for n in range(40)])
        self.rules = UsageRules(self.clock.seconds, self.database.projects, self.database.tokens, self.reports)

    def test_report(self) -> None:
        """It has groups with the names of what they are, and totals."""
        answer = self.done(self.rules.report(UsageQuestion(("project", "status"))))
        self.assertEqual([(each["project_name"], each["status"]) for each in answer["data"]], [("project p1", 200)])
        self.assertEqual(answer["totals"]["cost"], "60")

    def test_every_group(self) -> None:
        """Every group can be asked for, and is a member of the row."""
        for group in (*GROUPS, "tag:team", "metadata.x y"):
            with row(self, group):
                (first, *_) = self.done(self.rules.report(UsageQuestion((group,))))["data"]
                self.assertIn(f"{group}_id" if group in NAMED else group, first)

    def test_forecast(self) -> None:
        """It is of the calendar month, whatever span the report is of, and keeps the filters."""
        question = UsageQuestion(("model",), since=NOW, until=NOW, projects=("p1",), top=1)
        made = self.done(self.rules.report(question, with_forecast=True))["forecast"]
        self.assertEqual((made["month"], made["so_far"], made["last_month"]), ("2023-11", "21", "39"))
        asked = self.reports.asked[-1]
        self.assertEqual((asked.group_by, asked.projects, asked.until, asked.top), (("day",), ("p1",), None, None))
        self.assertLess(abs(Decimal(made["expected"]) - 45), 2)

    def test_records(self) -> None:
        """A page of them; a cursor that is none is the caller's fault."""
        page = self.done(self.rules.records(UsageQuestion(), 2, None))
        self.assertEqual([each.request_id for each in page.items], ["r-0", "r-1"])
        self.refused(BadRequest, "invalid cursor", self.rules.records(UsageQuestion(), 2, "x"))

    def test_of_one(self) -> None:
        """A project or token that there is not is not found."""
        self.assertEqual(self.done(self.rules.of_project("p1")), "p1")
        self.refused(NotFound, "project not found", self.rules.of_project("none"))
        self.refused(NotFound, "token not found", self.rules.of_token("none"))

    def test_not_kept(self) -> None:
        """Without a ledger nothing is answered, and the words say why."""
        rules = UsageRules(self.clock.seconds, self.database.projects, self.database.tokens, None)
        for asking in (rules.report(UsageQuestion()), rules.records(UsageQuestion(), 1, None)):
            error: ProxyError = self.failureResultOf(Deferred.fromCoroutine(asking), Unavailable).value
            self.assertIn("ledger is off", error.description, asking)
