"""Usage in pages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.pages.usage import groups_of
from tests.tables import row

from ...usagereports import an_entry
from ..browser import PagesTestCase


class GroupTests(SynchronousTestCase):
    def test_table(self) -> None:
        """By day where nothing is said; each group once."""
        for query, expected in (
            ({}, ["day"]),
            ({"first": "model"}, ["model"]),
            ({"first": "project", "second": "model"}, ["project", "model"]),
            ({"first": "model", "second": "model"}, ["model"]),
            ({"second": "tag:team"}, ["tag:team"]),
        ):
            with row(self, query):
                self.assertEqual(groups_of(query), expected)


class UsageTests(PagesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in()

    def used(self, number: int = 0, **changes: object) -> None:
        self.reports.entries.append(an_entry(number, self.clock.seconds() - 60, **changes))

    def test_empty(self) -> None:
        """It says that nothing was used, in reports and records."""
        self.assertIn("Nothing was used", self.visit("/usage").text)
        self.assertIn("No records", self.visit("/usage/records").text)

    def test_grouped(self) -> None:
        """Any grouping is a table with a chart, whose rows lead further."""
        self.used(model="gpt-5", served_model="gpt-5-2026", api="openai")
        for query, words in (
            ("", "Spend"),
            ("?first=model", "gpt-5"),
            ("?first=served_model&second=api", "gpt-5-2026"),
            ("?first=status", "200"),
            ("?first=hour&span=24h", "Spend"),
            ("?first=tag:team", "unknown"),
        ):
            shown = self.visit(f"/usage{query}")
            self.assertEqual(shown.status, 200, query)
            self.assertIn(words, shown.text, query)
        links = [href for href, _ in self.visit("/usage?first=model&span=7d").page.links]
        self.assertIn("/admin/usage?first=day&span=7d&model=gpt-5", links)

    def test_refused(self) -> None:
        """What is no group is said, and the form is there to change it."""
        shown = self.visit("/usage?first=nonsense")
        self.assertEqual(shown.status, 400)
        self.assertIn("nonsense", shown.text)
        self.assertTrue(shown.page.forms)

    def test_without_a_price(self) -> None:
        """Which models have no price stands in their rows, and what to do below the table."""
        self.used(model="gpt-5", served_model="gpt-5", cost="0.5")
        self.assertNotIn("without a price", self.visit("/usage?first=model").text)
        self.used(1, model="ours", served_model="ours", cost=None)
        shown = self.visit("/usage?first=served_model&second=api")
        self.assertEqual(shown.text.count("1 without a price"), 1)
        self.assertIn("The cost of one request is not known", shown.text)

    def test_names(self) -> None:
        """A name of markup is text."""
        self.used(model="<script>alert(1)</script>")
        shown = self.visit("/usage?first=model")
        self.assertNotIn(b"<script>alert", shown.body)
        self.assertIn("<script>alert(1)</script>", shown.text)

    def test_from_a_record(self) -> None:
        """A record leads to its project and token; one that was not let in, who may see that, to the audit log."""
        self.used(1, project_id="p-1", token_id="t-1", status=401)
        self.used(2, project_id="p-1", token_id="t-1")
        follow = "/admin/audit?request_id=r-1"
        shown = self.visit("/usage/records?token_id=t-1")
        links = [href for href, _ in shown.page.links]
        for href in ("/admin/projects/p-1", "/admin/tokens/t-1", follow, "/admin/usage/records?span=24h"):
            self.assertIn(href, links, href)
        self.assertNotIn("/admin/audit?request_id=r-2", links)
        self.assertIn("token t-1", shown.text)
        self.assertIn("r-1", [found.get("data-copy") for _, found in shown.page.tags])
        self.assertNotIn("Clear", self.visit("/usage/records").text)
        self.sign_in(self.admin("operator"))
        links = [href for href, _ in self.visit("/usage/records").page.links]
        self.assertIn("/admin/tokens/t-1", links)
        self.assertNotIn(follow, links)

    def test_records(self) -> None:
        """Single records by pages, and all of them as a file."""
        for number in range(60):
            self.used(number, model="gpt-5", served_model="")
        shown = self.visit("/usage/records")
        self.assertIn("gpt-5", shown.text)
        self.assertIn("Next page", shown.text)
        following = next(href for href, words in shown.page.links if words == "Next page")
        self.assertEqual(self.visit(following).status, 200)
        for form, kind in (("csv", "text/csv"), ("jsonl", "application/jsonl")):
            file = self.visit(f"/usage/records/{form}")
            self.assertIn(kind, file.header("content-type") or "", form)
            self.assertEqual(file.body.count(b"gpt-5"), 60, form)
