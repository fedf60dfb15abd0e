"""Tests of L{llmproxy.app.budgetspent}."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.budgetspent import ANSWERS_WITHIN, BudgetsSpent
from llmproxy.core.ledger.entry import Entry
from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.reports import UsageQuestion, UsageReport, UsageRow, UsageSums
from llmproxy.message import Page
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords

from ..store.databases import opened
from ..usagereports import an_entry

NOW = 1_700_000_000.0
DAY = NOW // 86_400 * 86_400
BUDGET = Rule("money", "token:t", 500 * PICO, "max_budget of t", "1d")


class FakeReports:
    """
    @ivar cost: of all that is grouped.
    @ivar entries: single records.
    """

    def __init__(self) -> None:
        self.cost = Decimal("12.5")
        self.entries = [Entry("1", NOW, cost="0.5"), Entry("2", NOW), Entry("3", NOW, cost="2")]
        self.asked: list[UsageQuestion] = []
        self.waits: Deferred[Any] | None = None

    def grouped(self, question: UsageQuestion) -> Deferred[UsageReport]:
        self.asked.append(question)
        report = UsageReport([UsageRow({}, UsageSums(cost=self.cost))])
        return succeed(report) if self.waits is None else self.waits.addCallback(lambda _: report)

    def records(self, question: UsageQuestion, limit: int, after: str | None = None) -> Deferred[Page[Entry]]:
        self.asked.append(question)
        at = int(after or 0)
        return succeed(Page(self.entries[at : at + 1], str(at + 1) if at + 1 < len(self.entries) else None))


class FakeLedger:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def adopt(self) -> Deferred[None]:
        self.calls.append("adopt")
        return succeed(None)

    def flush(self) -> Deferred[None]:
        self.calls.append("flush")
        return succeed(None)


class BudgetsSpentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.reports, self.ledger = FakeReports(), FakeLedger()
        self.budgets = BudgetsSpent(self.clock, self.reports, lambda: self.ledger)  # type: ignore[arg-type,return-value]

    def test_spent(self) -> None:
        """What the ledger has of the window, when all that waited is there."""
        self.assertEqual(self.successResultOf(self.budgets.spent(BUDGET)), 12.5 * PICO)
        self.assertEqual(self.ledger.calls, ["adopt", "flush"])
        self.assertEqual(self.reports.asked, [UsageQuestion(since=DAY, tokens=("t",))])

    def test_several(self) -> None:
        """Those of projects, and of tokens, whose windows begin alike are one question; others are their own."""
        database = opened(self, clock=self.clock)
        entries = [
            an_entry(n, NOW - 60, project_id=f"p{n % 2}", token_id=f"t{n % 3}", model=f"m{n % 2}", cost="0.25")
            for n in range(12)
        ]
        self.successResultOf(UsageRecords(self.clock, database).settle(entries))
        asked: list[UsageQuestion] = []
        reports = UsageReports(database)

        class Noted:
            def grouped(self, question: UsageQuestion) -> Deferred[UsageReport]:
                asked.append(question)
                return reports.grouped(question)

        scopes = ("project:p0", "token:t0", "project:p1", "token:t2", "project:none", "project:p0|model=m0", "all")
        rules = [evolve(BUDGET, scope=scope) for scope in scopes]
        budgets = BudgetsSpent(self.clock, Noted(), lambda: None)  # type: ignore[arg-type]
        found = self.successResultOf(budgets.spent_of(rules))
        self.assertEqual([Decimal(each) / PICO for each in found], [1.5, 1, 1.5, 1, 0, 1.5, 3])
        self.assertEqual(found, [self.successResultOf(budgets.spent(rule)) for rule in rules])
        alone = asked[: -len(rules)]
        self.assertEqual(sorted(each.group_by for each in alone), [(), (), ("project",), ("token",)])
        nothing = BudgetsSpent(self.clock, None, lambda: None)
        self.assertEqual(self.successResultOf(nothing.spent_of(rules)), [0] * len(rules))

    def test_total(self) -> None:
        """A budget without an end is asked for from the first record on."""
        self.successResultOf(self.budgets.spent(evolve(BUDGET, window="total")))
        self.assertIsNone(self.reports.asked[0].since)

    def test_set_back(self) -> None:
        """Of the quarter of an hour in which it was set back, only what came after counts."""
        since = NOW - 100.25
        self.assertEqual(self.successResultOf(self.budgets.spent(evolve(BUDGET, since=since))), 10 * PICO)
        part = self.reports.asked[1]
        self.assertEqual((part.since, part.until), (since // 900 * 900, since))

    def test_rates(self) -> None:
        """What counts of a rate, in the order of time, as far back as it matters."""
        self.reports.entries = [
            Entry("1", NOW - 1, counted=True, input_tokens=3, output_tokens=4),
            Entry("2", NOW - 2, counted=True),
            Entry("3", NOW - 3, counted=False, input_tokens=9),
            Entry("4", NOW - 59, counted=True, input_tokens=2),
            Entry("5", NOW - 61, counted=True, input_tokens=8),
        ]
        requests = Rule("requests", "token:t", 100, "rpm_limit of t", "1m")
        found = self.successResultOf(self.budgets.used(requests))
        self.assertEqual(found, [(NOW - 59, 1), (NOW - 2, 1), (NOW - 1, 1)])
        self.assertEqual(self.ledger.calls, ["adopt", "flush"])
        self.assertEqual(self.reports.asked[0], UsageQuestion(since=NOW - 60, tokens=("t",)))
        tokens = Rule("tokens", "token:t", 100, "tpm_limit of t", "1m")
        self.assertEqual(self.successResultOf(self.budgets.used(tokens)), [(NOW - 59, 2), (NOW - 1, 7)])
        self.reports.asked.clear()
        found = self.successResultOf(self.budgets.used(evolve(requests, limit=1)))
        self.assertEqual((found, len(self.reports.asked)), ([(NOW - 1, 1)], 1))
        self.assertEqual(self.successResultOf(self.budgets.used(evolve(requests, scope="address:x"))), ())

    def test_person(self) -> None:
        """Of somebody who signs in it is what all of their devices used, and nobody else, as a database has it."""
        database = opened(self, clock=self.clock)
        used = (("t1", "o1", 10), ("t2", "o1", 20), ("t3", "o2", 30), ("t4", "", 40))
        entries = [
            an_entry(at, NOW - at, token_id=token, person_id=person, cost="1.5", counted=True)
            for token, person, at in used
        ]
        self.successResultOf(UsageRecords(self.clock, database).settle(entries))
        budgets = BudgetsSpent(self.clock, UsageReports(database), lambda: None)
        theirs = evolve(BUDGET, scope="person:o1")
        self.assertEqual(self.successResultOf(budgets.spent(theirs)), 3 * PICO)
        self.assertEqual(self.successResultOf(budgets.spent(evolve(theirs, since=NOW - 15))), 1.5 * PICO)
        rate = Rule("requests", "person:o1", 100, "rpm_limit of o1", "1m")
        self.assertEqual(self.successResultOf(budgets.used(rate)), [(NOW - 21, 1), (NOW - 11, 1)])

    def test_nowhere(self) -> None:
        """Without a ledger, and of what it does not keep, nothing was spent."""
        nowhere = BudgetsSpent(self.clock, None, lambda: None)
        self.assertEqual(self.successResultOf(nowhere.spent(BUDGET)), 0)
        self.assertEqual(self.successResultOf(nowhere.used(BUDGET)), ())
        self.assertEqual(self.successResultOf(self.budgets.spent(evolve(BUDGET, scope="address:x"))), 0)

    def test_slow(self) -> None:
        """A database that does not answer is not waited for without end, and may answer later."""
        self.reports.waits = Deferred()
        asking = self.budgets.spent(BUDGET)
        self.clock.advance(ANSWERS_WITHIN)
        self.failureResultOf(asking, TimeoutError)
        self.reports.waits.callback(None)
