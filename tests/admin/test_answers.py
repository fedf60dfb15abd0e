"""What views answer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.answers import Page, Redirect


class AnswerTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """A page is found, and a form that was acted on says nothing unless a view does."""
        self.assertEqual((Page("x.html").status, Redirect("/x").flash), (200, ""))
