"""Tests for L{llmproxy.management.budgets}."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from llmproxy.core.limits.values import PICO, Rule, UsageLimitSettings
from llmproxy.core.tokens import DEVICE
from llmproxy.management.budgets import BudgetRules
from llmproxy.management.limits import Left
from llmproxy.store.people import PeopleStore
from llmproxy.testing.stores import MemoryProjects
from llmproxy.usagelimits import UsageLimits

from ..contracts.people_store import person
from ..store.databases import NOW, project, token
from ..usagereports import MemoryReports, an_entry
from .world import RulesTestCase


class Spent:
    """@ivar used: by the beginning of the scope, of 1; C{None} if that cannot be found out."""

    settings = UsageLimitSettings()

    def __init__(self, used: dict[str, float | None]) -> None:
        self.used = used
        self.calls = 0

    def left(self, rules: Sequence[Rule]) -> Deferred[Sequence[Left]]:
        self.calls += 1
        return succeed([Left(rule, self._left(rule), None) for rule in rules])

    def _left(self, rule: Rule) -> int | None:
        used = self.used[rule.scope.partition("|")[0]]
        return None if used is None else round(rule.limit * (1 - used))


class BudgetRulesTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.reports = MemoryReports()
        for at, name in enumerate("abcd"):
            limits = UsageLimits(max_budget=Decimal(10), budget_duration="1mo", rpm_limit=5)
            made = project(f"q{name}", name=name, limits=UsageLimits() if name == "d" else limits)
            self.successResultOf(self.database.projects.create(made))
            entry = an_entry(at, NOW - 60, project_id=made.id, token_id="t1", cost=Decimal(at + 1))
            self.reports.entries.append(entry)
        of_token = token("t1", "qa", name="ci", limits=UsageLimits(max_budget=Decimal(2)))
        self.successResultOf(self.database.tokens.create(of_token))

    def found(self, used: dict[str, float | None], top: int = 10, **changes: Any) -> list[tuple[str, float]]:
        state = evolve(self.state, limits=Spent(used), **changes)
        budgets = self.done(BudgetRules(state, self.reports).near_their_end(top))
        self.assertTrue(all(each.limit in (10 * PICO, 2 * PICO) for each in budgets))
        return [(each.token_id or each.project_id, round(each.share, 6)) for each in budgets]

    USED: dict[str, float | None] = {"project:qa": 0.5, "project:qb": 0.9, "project:qc": 1.5, "token:t1": 0.95}

    def test_order(self) -> None:
        """Those of which most is used stand first; who has no budget is not there, nor another limit."""
        self.assertEqual(self.found(self.USED), [("qc", 1.5), ("t1", 0.95), ("qb", 0.9), ("qa", 0.5)])
        self.assertEqual(self.found(self.USED, 2), [("qc", 1.5), ("t1", 0.95)])

    def test_at_once(self) -> None:
        """What is left of all of them is asked for once, however many there are."""
        spent = Spent(self.USED)
        self.done(BudgetRules(evolve(self.state, limits=spent), self.reports).near_their_end(10))
        self.assertEqual(spent.calls, 1)

    def test_unknown(self) -> None:
        """What cannot be found out now is left out."""
        self.assertEqual(self.found({**self.USED, "project:qc": None}), [("t1", 0.95), ("qb", 0.9), ("qa", 0.5)])

    def test_gone(self) -> None:
        """What was used by a project that an application has taken away is no budget."""
        store = MemoryProjects([project("qb", limits=UsageLimits(max_budget=Decimal(10)))])
        self.assertEqual(self.found(self.USED, projects=store), [("t1", 0.95), ("qb", 0.9)])

    def test_people(self) -> None:
        """A person has one budget, however many devices they have and whichever spent; who is shut out has none."""
        limits = UsageLimits(max_budget=Decimal(10))
        people = PeopleStore(self.clock, self.database)
        for at, (name, token_ids) in enumerate((("o1", ("d1", "d2", "d3")), ("o2", ("d4",)), ("o3", ("d5",)))):
            stated = UsageLimits() if name == "o3" else limits
            self.successResultOf(
                people.note(person(name, f"u{name}", name=f"Ann {name}", project_id="qd", limits=stated))
            )
            for token_id in token_ids:
                theirs = token(token_id, "qd", name="laptop", limits=stated, person_id=name, kind=DEVICE)
                self.successResultOf(self.database.tokens.create(theirs))
                entry = an_entry(10 + at, NOW - 60, project_id="qd", token_id=token_id, person_id=name, cost=Decimal(9))
                self.reports.entries.append(entry)
        self.successResultOf(people.revoke("o2"))
        state = evolve(self.state, limits=Spent({**self.USED, "person:o1": 0.7}))
        found = self.done(BudgetRules(state, self.reports, people).near_their_end(10))
        shown = [(each.person_id, each.token_id, each.name, round(each.share, 2)) for each in found]
        self.assertEqual([each for each in shown if each[0]], [("o1", "", "Ann o1", 0.7)])
        self.assertEqual([each for each in shown if each[1]], [("", "t1", "ci", 0.95)])

    def test_not_kept(self) -> None:
        """Where no usage is kept nobody knows who spends."""
        self.assertEqual(self.done(BudgetRules(self.state, None).near_their_end(5)), [])
