"""Tests for L{llmproxy.admin.mepages}."""

from __future__ import annotations

from urllib.parse import urlencode

from twisted.web.resource import Resource

from llmproxy.admin.mepages import STAYS, MePages
from llmproxy.app.me import OfPeople
from llmproxy.core.cookies import ME
from llmproxy.errors import Unavailable

from ..store.databases import NOW
from ..tables import row
from ..usagereports import an_entry
from ..web.manage.peopleapi import PeopleManageTestCase
from .browser import ORIGIN, Shown
from .personbrowser import PersonBrowser
from .test_devicepages import SignsIn


class MePagesTests(PersonBrowser, PeopleManageTestCase):
    place = "/me"

    def setUp(self) -> None:
        super().setUp()
        self.signs_in = SignsIn(self)
        self.pages = Resource()
        self.pages.putChild(b"me", MePages(OfPeople(self.books), self.signs_in, self.clock.seconds, None, self.notes))
        self.cookies: dict[str, str] = {}

    def sign_in(self) -> None:
        shown = self.visit("/sign-in/corp")
        self.assertEqual(shown.status, 303)
        state = shown.header("location").partition("state=")[2]
        back = self.visit(f"/callback/corp?{urlencode({'state': state, 'code': 'x'})}")
        self.assertEqual((back.status, back.header("location")), (303, "/me/"))

    def send(self, path: str, **data: str) -> Shown:
        """A form of the page."""
        form = next(each for each in self.visit("/").page.forms if each["action"] == f"/me{path}")
        csrf = form["fields"]["csrf"] if "fields" in form else form["csrf"]
        return self.visit(path, {"csrf": csrf, **data})

    def test_nobody(self) -> None:
        """Who is not signed in sees nothing of anybody."""
        self.reports.entries = [an_entry(1, NOW - 60.0, person_id=self.ann.id, model="secret-model")]
        for path in ("/", "/end-device", "/?span=1d"):
            with row(path):
                shown = self.visit(path)
                self.assertIn("Go on with Corporate account", shown.text)
                self.assertNotIn("secret-model", shown.text)

    def test_own(self) -> None:
        """Somebody sees what is theirs, and nothing of others."""
        self.reports.entries = [
            an_entry(1, NOW - 60.0, person_id=self.ann.id, model="mine", session="s-1", cost="2"),
            an_entry(2, NOW - 60.0, person_id=self.eve.id, model="hers", cost="7"),
        ]
        self.let_in(self.ann)
        self.sign_in()
        shown = self.visit("/").text
        for words in ("Ann", "mine", "s-1", "$2.00", "claude-cli/2.1", "Requests a minute"):
            with row(words):
                self.assertIn(words, shown)
        self.assertNotIn("hers", shown)
        self.assertNotIn("$7", shown)

    def test_devices(self) -> None:
        """A program of one's own is ended, one of others is not there."""
        token_id = self.let_in(self.ann)
        self.let_in(self.eve, "2")
        self.sign_in()
        self.assertEqual(self.send("/end-device", device="d2").status, 404)
        self.assertEqual(self.send("/end-device", device="d1").status, 303)
        self.assertFalse(self.is_good(token_id))
        self.assertIn("me.end_device", repr(self.notes.events))

    def test_forged(self) -> None:
        """A form needs its secret and its origin."""
        self.let_in(self.ann)
        self.sign_in()
        for data, origin in (({"device": "d1"}, ORIGIN), ({"device": "d1", "csrf": "x"}, "https://evil.example")):
            with row(data):
                self.assertEqual(self.visit("/end-device", data, origin).status, 403)
        self.assertIsNone(self.ask("GET", f"/people/{self.ann.id}/devices").json[0]["ended_at"])

    def test_over(self) -> None:
        """It ends by itself, by signing out, and at once for who is shut out or forgotten."""
        self.sign_in()
        self.assertEqual(self.send("/sign-out").status, 303)
        self.assertIn("Go on with", self.visit("/").text)
        self.sign_in()
        self.clock.advance(STAYS)
        self.assertIn("Go on with", self.visit("/").text)
        self.sign_in()
        self.ask("POST", f"/people/{self.ann.id}/revoke")
        self.assertIn("Go on with", self.visit("/").text)
        self.ask("DELETE", f"/people/{self.ann.id}")
        self.assertIn("Go on with", self.visit("/").text)

    def test_reinstated(self) -> None:
        """Who was shut out and is let in again signs in anew: what a browser had before is over for good."""
        self.sign_in()
        before = dict(self.cookies)
        self.ask("POST", f"/people/{self.ann.id}/revoke")
        self.ask("POST", f"/people/{self.ann.id}/reinstate")
        self.assertIn("Go on with", self.visit("/").text)
        self.clock.advance(1)
        self.sign_in()
        self.assertNotIn("Go on with", self.visit("/").text)
        self.cookies.update(before)
        self.assertIn("Go on with", self.visit("/").text)

    def test_refused(self) -> None:
        """Who may not in is told so, and stays out."""
        self.ask("POST", f"/people/{self.ann.id}/revoke")
        shown = self.visit("/sign-in/corp")
        state = shown.header("location").partition("state=")[2]
        self.assertEqual(self.visit(f"/callback/corp?{urlencode({'state': state})}").status, 403)
        self.assertNotIn(ME, self.cookies)
        self.assertIn("Go on with", self.visit("/").text)

    def test_mixed_up(self) -> None:
        """An answer to no sign-in of this browser opens nothing; a provider that is not there neither."""
        self.assertEqual(self.visit("/callback/corp?state=x&code=y").status, 400)
        self.assertEqual(self.visit("/sign-in/nobody").status, 404)
        self.cookies[ME] = "forged"
        self.assertIn("Go on with", self.visit("/").text)

    def test_no_usage(self) -> None:
        """While usage cannot be asked for, the rest is shown."""
        self.sign_in()
        self.reports.broken = [Unavailable("away")]
        self.assertIn("cannot be asked for now", self.visit("/").text)
