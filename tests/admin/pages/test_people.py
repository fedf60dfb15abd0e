"""The pages of people."""

from __future__ import annotations

from llmproxy.core.people.person import Asserted

from ...store.databases import NOW
from ...tables import row
from ...usagereports import an_entry
from ...web.manage.peopleapi import PeopleManageTestCase
from ..browser import PagesTestCase


class PeopleTests(PagesTestCase, PeopleManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in()
        self.one = f"/people/{self.ann.id}"

    def test_list(self) -> None:
        """Who signed in, what they spent; a part of a name, and who is shut out."""
        self.reports.entries = [an_entry(1, NOW - 60.0, person_id=self.ann.id, cost="2")]
        shown = self.visit("/people").text
        for words in ("Ann", "ann@x.org", "Eve", "owner", "$2.00"):
            with row(words):
                self.assertIn(words, shown)
        self.assertNotIn("eve@x.org", self.visit("/people?search=ann").text)
        self.assertIn("Nobody is like that", self.visit("/people?state=out").text)

    def test_one(self) -> None:
        """With limits, devices and usage."""
        self.let_in(self.ann)
        self.reports.entries = [an_entry(1, NOW - 60.0, person_id=self.ann.id, session="session-7")]
        shown = self.visit(self.one).text
        for words in ("corp:", "laptop", "claude-cli/2.1", "session-7", "May sign in"):
            with row(words):
                self.assertIn(words, shown)
        self.assertEqual(self.visit("/people/nobody").status, 404)

    def test_device(self) -> None:
        """A device is ended from there."""
        token_id = self.let_in(self.ann)
        self.assertIn("no longer", self.send(self.visit(self.one), f"{self.one}/end-device", device="d1").text)
        self.assertFalse(self.is_good(token_id))

    def test_shut_out(self) -> None:
        """It is asked before; who is shut out is let in again by a button."""
        shown = self.visit(f"{self.one}/revoke")
        self.assertIn("Shut out", shown.text)
        self.assertIn("is shut out", self.send(shown, "").text)
        self.assertIn("may sign in again", self.send(self.visit(self.one), f"{self.one}/reinstate").text)
        self.assertIn("begins anew", self.send(self.visit(self.one), f"{self.one}/reset-budget").text)

    def test_forgotten(self) -> None:
        """It is said that it cannot be undone."""
        shown = self.visit(f"{self.one}/delete")
        self.assertIn("cannot be undone", shown.text)
        self.assertIn("is forgotten", self.send(shown, "").text)
        self.assertEqual(self.visit(self.one).status, 404)

    def test_roles(self) -> None:
        """Who may not do something has no button for it, and is refused."""
        self.cookies.clear()
        self.sign_in(self.admin("operator"))
        for person, there in ((self.ann, True), (self.eve, False)):
            with row(person.name):
                shown = self.visit(f"/people/{person.id}").body.decode()
                self.assertEqual(f"/people/{person.id}/revoke" in shown, there)
                self.assertNotIn(f"/people/{person.id}/delete", shown)
        self.assertEqual(self.visit(f"{self.one}/delete").status, 403)

    def test_strange_names(self) -> None:
        """What a provider calls somebody is text."""
        strange = "<script>alert(1)</script>"
        who = Asserted("corp", "https://id", strange, "", False, strange, (strange,))
        person = self.done(self.people.sign_in(who))
        for path in ("/people", f"/people/{person.id}", f"/people/{person.id}/delete"):
            with row(path):
                self.assertNotIn(strange.encode(), self.visit(path).body)
