"""Upstreams in pages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.web.manage.breaker import BreakerRoutes

from ...web.manage.test_breaker import CLOSED, OPEN
from ..browser import PagesTestCase


class UpstreamsTests(PagesTestCase):
    def more_routes(self) -> list[Any]:
        return [BreakerRoutes(lambda: succeed(self.metrics)).routes()]

    def test_shown(self) -> None:
        """How each is, with what is open."""
        self.sign_in()
        self.metrics.circuits = lambda: [CLOSED, OPEN]
        shown = self.visit("/upstreams")
        self.assertIn("https://openai.example", shown.text)
        self.assertIn(OPEN.reason, shown.text)

    def test_drained(self) -> None:
        """It is said what that does, and then done."""
        self.sign_in()
        page = self.visit("/upstreams/openai/openai/drain")
        self.assertIn("no other upstream", page.text)
        # The only one of an API cannot be drained, which the API says.
        self.assertEqual(self.send(page).status, 409)

    def test_auditor(self) -> None:
        """Who may only look is offered nothing to do, and cannot do it."""
        self.sign_in(self.admin("auditor"))
        shown = self.visit("/upstreams")
        self.assertNotIn("Drain", shown.text)
        self.assertEqual(self.visit("/upstreams/openai/openai/drain").status, 403)
