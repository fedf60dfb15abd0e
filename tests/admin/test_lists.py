"""Lists by page: filters live in the address."""

from __future__ import annotations

from .browser import PagesTestCase


class ListTests(PagesTestCase):
    def test_pages(self) -> None:
        """A long list has pages, which keep what was searched for."""
        for at in range(60):
            self.project(f"project {at:02}")
        self.project("other")
        self.sign_in()
        shown = self.visit("/projects?search=project&state=active")
        following = next(link for link, words in shown.page.links if words == "Next page")
        self.assertIn("search=project&state=active&after=", following)
        self.assertIn("project 49", shown.text)
        rest = self.visit(following)
        self.assertIn("project 59", rest.text)
        self.assertNotIn("project 49", rest.text)
        first = next(link for link, words in rest.page.links if words == "First page")
        self.assertEqual(self.visit(first).text, shown.text)
        self.assertNotIn("Next page", rest.text)

    def test_sorted(self) -> None:
        """A list is sorted by a link in its head, and searched and paged in that order."""
        for at in range(55):
            self.clock.advance(1)
            self.project(f"project {99 - at}")
        self.sign_in()
        shown = self.visit("/projects?search=project")
        self.assertLess(shown.text.index("project 45"), shown.text.index("project 94"))
        newest = next(link for link, words in shown.page.links if words == "Created")
        self.assertIn("sort=newest", newest)
        shown = self.visit(newest)
        self.assertTrue(shown.text.index("project 45") < shown.text.index("project 94"))
        self.assertNotIn("project 99", shown.text)
        following = next(link for link, words in shown.page.links if words == "Next page")
        self.assertIn("project 99", self.visit(following).text)

    def test_empty(self) -> None:
        """An empty list says what to do; one that is only filtered says so."""
        self.sign_in()
        self.assertIn("Create your first project", self.visit("/projects").text)
        self.project()
        self.assertIn("No project is like that", self.visit("/projects?search=zzz").text)

    def test_cursor(self) -> None:
        """An address that was cut is explained."""
        self.sign_in()
        self.assertEqual(self.visit("/projects?after=nonsense").status, 400)
