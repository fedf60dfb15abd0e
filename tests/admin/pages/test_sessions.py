"""The page of sessions."""

from __future__ import annotations

from ..browser import PagesTestCase


class SessionsTests(PagesTestCase):
    def test_ended(self) -> None:
        """Who is signed in is listed, and one of them is ended from there."""
        self.sign_in()
        mine = dict(self.cookies)
        self.cookies.clear()
        self.sign_in(self.admin("operator"))
        theirs = self.cookies
        self.assertNotIn("management_api\nowner", self.visit("/sessions").text)
        self.cookies = mine
        shown = self.visit("/sessions")
        self.assertIn("this one", shown.text)
        other = next(each["id"] for each in self.ask("GET", "/sessions").json if each["name"] == "operator")
        self.send(shown, "/sessions/end", session=other)
        self.cookies = theirs
        self.assertEqual(self.visit("/").status, 303)

    def test_everybody(self) -> None:
        """An owner signs everybody out."""
        self.sign_in()
        self.send(self.visit("/sessions"), "/sessions/end-all")
        self.assertEqual(self.ask("GET", "/sessions").json, [])
