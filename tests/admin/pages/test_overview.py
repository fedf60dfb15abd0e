"""The overview."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from llmproxy.admin.pages.overview import notices
from llmproxy.admin.spans import span_of
from llmproxy.core.latency import Latency
from llmproxy.core.reports import UsageQuestion
from llmproxy.interfaces import IUsageLatency, IUsageReports

from ..browser import PagesTestCase


def an_upstream(**changes: Any) -> dict[str, Any]:
    values = {
        "api": "openai",
        "upstream": "openai",
        "health": "well",
        "drained": False,
        "keys_aside": None,
        "circuits": {"open": 0},
    }
    return {**values, **changes}


class NoticeTests(SynchronousTestCase):
    def test_upstreams(self) -> None:
        """What is not well is said, with its name; what is well is not."""
        for changes, level, words in (
            ({"health": "ejected"}, "bad", "The upstream openai is left out"),
            ({"health": "degraded", "upstream": "azure"}, "warn", "The upstream azure of openai is degraded"),
            ({"drained": True}, "warn", "is drained"),
            ({"circuits": {"open": 2}}, "bad", "circuit to openai is open"),
            ({"keys_aside": 2}, "warn", "2 keys for openai are set aside"),
        ):
            found = notices(None, [an_upstream(), an_upstream(**changes)], span_of("7d"))
            self.assertEqual([each.level for each in found], [level], changes)
            self.assertIn(words, found[0].words, changes)
            self.assertEqual(found[0].path, "/upstreams", changes)

    def test_totals(self) -> None:
        """Many failures, and use that no price is known for, are said."""
        for requests, errors, unpriced, words in (
            (100, 5, 0, []),
            (100, 6, 0, ["6 in 100 requests"]),
            (0, 0, 0, []),
            (10, 0, 1, ["1 request of this span has no known cost"]),
            (10, 10, 7, ["100 in 100 requests", "7 requests of this span have no known cost"]),
        ):
            found = notices({"requests": requests, "errors": errors, "unpriced": unpriced}, [], span_of("7d"))
            self.assertEqual(len(found), len(words), (requests, errors, unpriced))
            for each, beginning in zip(found, words, strict=True):
                self.assertTrue(each.words.startswith(beginning), each.words)
                self.assertIn("&span=7d", each.path, each.words)


class OverviewTests(PagesTestCase):
    def test_new(self) -> None:
        """Who has nothing yet is shown what to do first."""
        self.sign_in()
        shown = self.visit("/")
        self.assertIn("Create a project", shown.text)
        self.project()
        shown = self.visit("/")
        self.assertNotIn("Create a project", shown.text)
        self.assertIn("Create a token", shown.text)

    def test_used(self) -> None:
        """What was asked and what it cost, by period, project and model, with the rate of the month."""
        self.sign_in()
        self.metrics.request_count = 5
        for span in ("", "?span=7d", "?span=30d", "?span=1y", "?span=nonsense"):
            shown = self.visit("/" + span)
            self.assertEqual(shown.status, 200, span)
            self.assertNotIn("To begin with", shown.text, span)
            for words in ("Requests", "Spend", "This month at this rate", "Models that cost most", "As a table"):
                self.assertIn(words, shown.text, (span, words))

    def test_latency(self) -> None:
        """How long answers took is of the span that is shown; where that is not known nothing is said of it."""
        self.sign_in()
        self.metrics.request_count = 5
        self.assertNotIn("Latency", self.visit("/").text)
        asked: list[UsageQuestion] = []

        def latency(question: UsageQuestion) -> Deferred[Latency]:
            asked.append(question)
            return succeed(Latency(1.25, 7.5) if len(asked) == 1 else Latency(2.0, 3.0, 0.5, 0.75, 9))

        directlyProvides(self.reports, IUsageReports, IUsageLatency)
        self.reports.latency = latency
        for span, words in (
            ("7d", ("95 in 100 within 7.5", "no stream")),
            ("30d", ("95 in 100 within 3", "95 in 100 within 750", "Time to first token")),
        ):
            shown = " ".join(self.visit(f"/?span={span}").text.split())
            for each in words:
                self.assertIn(each, shown, span)
        days = [round((self.clock.seconds() - (each.since or 0)) / 86_400) for each in asked]
        self.assertTrue(6 <= days[0] <= 8 and 29 <= days[1] <= 31, days)

    def test_few_statements(self) -> None:
        """The page asks the database little, however much there is."""
        self.sign_in()
        before = self.database.statements
        self.visit("/?span=30d")
        self.assertLessEqual(self.database.statements - before, 20)
