"""Tests of L{llmproxy.management.peoplebooks}; the rest is in those of the routes."""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import Deferred

from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.core.tokens import DEVICE
from llmproxy.errors import BadRequest
from llmproxy.management.limits import left_of
from llmproxy.management.people import PeopleRules
from llmproxy.management.peoplebooks import PeopleBooks, Spent, token_like
from llmproxy.management.usage import MOST_VALUES, UsageRules
from llmproxy.store.devices import DeviceStore
from llmproxy.store.people import PeopleStore
from llmproxy.usagelimits import UsageLimits

from ..store.databases import NOW
from ..tables import row
from ..usagereports import MemoryReports, an_entry
from .test_people import ANN
from .world import RulesTestCase


class PeopleBooksTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.reports = MemoryReports()
        usage = UsageRules(self.clock.seconds, self.database.projects, self.database.tokens, self.reports)
        grant = partial(grant_of, [GrantRule(Match(), "p1", limits=UsageLimits(rpm_limit=5))])
        self.people = PeopleRules(self.state, PeopleStore(self.clock, self.database), grant)
        self.books = PeopleBooks(self.people, DeviceStore(self.clock, self.database), usage)
        self.ann = self.done(self.people.sign_in(ANN))

    def test_many(self) -> None:
        """A page of many is asked of reports in parts."""
        self.reports.entries = [an_entry(1, NOW - 60, person_id=self.ann.id)]
        found = self.done(self.books.spent([self.ann] * (2 * MOST_VALUES + 1), "1d"))
        self.assertEqual(found, [Spent(0, 1, "0.01")] * (2 * MOST_VALUES + 1))
        self.assertEqual(self.done(self.books.spent([], "1d")), [])

    def test_cursor(self) -> None:
        """What no page gave out is refused."""
        asking = Deferred.fromCoroutine(self.books.page(10, "x", None, None))
        self.assertEqual(self.failureResultOf(asking, BadRequest).value.message, "invalid cursor")

    def test_limits_of_all(self) -> None:
        """What is left of somebody is what is left of each of their tokens."""
        token, _ = self.done(self.people.issue(self.ann, DEVICE, 60.0))
        for each in (token, token_like(self.ann)):
            with row(each.id):
                [left] = self.done(left_of(self.state.limits, None, each, NOW))
                self.assertEqual(left.rule.scope, f"person:{self.ann.id}")
