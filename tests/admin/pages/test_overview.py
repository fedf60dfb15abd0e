"""The overview."""

from __future__ import annotations

from ..browser import PagesTestCase


class OverviewTests(PagesTestCase):
    def test_new(self) -> None:
        """Who has nothing yet is shown what to do first, if they may."""
        self.sign_in()
        self.assertIn("Begin with a project", self.visit("/").text)
        self.project()
        self.assertNotIn("Begin with a project", self.visit("/").text)
