"""What runs, in pages."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.pages.exchanges import ERRORS, errors_of
from tests.tables import row

from ...usagereports import an_entry
from ...web.manage.test_exchanges import Running
from ..browser import PagesTestCase


class ErrorTests(SynchronousTestCase):
    def test_advice(self) -> None:
        """By the cause, else by the status of the provider; what is well is none."""
        for record, words in (
            ({"status": 200, "ending": "complete"}, None),
            ({"status": 403, "ending": "refused", "error_code": "api_key_missing"}, "Give the project a key"),
            ({"status": 502, "ending": "upstream_failed", "cause": "name_not_found"}, "look at base_url"),
            ({"status": 401, "ending": "complete"}, "does not take the key"),
            ({"status": 200, "ending": "client_left"}, ""),
            ({"status": 418, "ending": "complete"}, ""),
        ):
            with row(self, record):
                found = errors_of([record])
                self.assertEqual(len(found), 0 if words is None else 1)
                if words:
                    self.assertIn(words, found[0]["advice"])
        self.assertEqual(len(errors_of([{"status": 500, "ending": "failed"}] * 50)), ERRORS)


class ExchangesTests(PagesTestCase):
    def setUp(self) -> None:
        self.running = Running()
        super().setUp()

    def more_routes(self) -> list[Any]:
        return [self.running.routes()]

    def test_of_somebody(self) -> None:
        """By person and by session; what is shown so is not made live, as the stream is of all."""
        self.sign_in()
        self.running.records[0].person_id = "person-1"
        shown = self.visit("/live")
        self.assertIn("/admin/live?person=person-1", [href for href, _ in shown.page.links])
        shown = self.visit("/live?person=person-1")
        self.assertIn("r-1", shown.text)
        self.assertNotIn("r-2", shown.text)
        self.assertIn("/admin/people/person-1", [href for href, _ in shown.page.links])
        self.assertFalse([found for _, found in shown.page.tags if "data-rows" in found])
        self.assertIn("Nothing runs", self.visit("/live?session=other").text)

    def test_shown(self) -> None:
        """What runs and what has failed lately."""
        self.sign_in()
        self.reports.entries.append(an_entry(1, self.clock.seconds() - 5, status=401))
        shown = self.visit("/live")
        for words in ("r-1", "gpt-5", "does not take the key"):
            self.assertIn(words, shown.text, words)

    def test_cut(self) -> None:
        """After a question; one that has ended meanwhile is said so."""
        self.sign_in()
        page = self.visit("/live/r-1/cut")
        self.assertIn("Cut 1", page.text)
        self.assertIn("1 exchange has been cut.", self.send(page).text)
        self.assertIn("It had ended already.", self.send(page).text)
        self.assertIn("It has ended, or there was none.", self.visit("/live/r-1/cut").text)

    def test_markup(self) -> None:
        """What a client has called its request is text."""
        self.sign_in()
        self.running.records[0].request_id = "<script>x</script>"
        self.assertNotIn(b"<script>x", self.visit("/live").body)

    def test_auditor(self) -> None:
        """Who may only look cuts nothing."""
        self.sign_in(self.admin("auditor"))
        self.assertNotIn("Cut", self.visit("/live").text)
        self.assertEqual(self.visit("/live/r-1/cut").status, 403)
