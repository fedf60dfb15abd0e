"""C{llmproxy people}."""

from __future__ import annotations

import json
import os
from pathlib import Path

from attrs import evolve

from ..store.databases import NOW
from ..tables import row
from ..usagereports import an_entry
from ..web.manage.peopleapi import ANN, PeopleManageTestCase
from .api import CommandTestCase


class PeopleTests(PeopleManageTestCase, CommandTestCase):
    has_usage = True

    def test_list(self) -> None:
        """A line a person; those who are shut out can be left out."""
        self.reports.entries = [an_entry(1, NOW - 60.0, person_id=self.ann.id)]
        lines = {line.split()[1]: line for line in self.invoke("people", "list").stdout.splitlines()[2:]}
        self.assertIn("ann@x.org", lines["Ann"])
        self.assertTrue(lines["Ann"].rstrip().endswith("$0.0100"), lines["Ann"])
        self.assertIn("owner", lines["Eve"])
        self.assertEqual(self.invoke("people", "revoke", "eve@x.org").exit_code, 0)
        self.assertEqual([each["name"] for each in self.said("people", "list", "--not-revoked")], ["Ann"])
        self.assertEqual([each["name"] for each in self.said("people", "list", "--revoked")], ["Eve"])
        self.assertEqual(self.said("people", "list", "--text", "nobody"), [])

    def test_who(self) -> None:
        """An id, an address and a name in any case of letters mean somebody; nobody, and several, are said."""
        for who in (self.ann.id, "ann@x.org", "ANN@x.org", "ann", self.ann.subject):
            with row(who):
                self.assertEqual(self.said("people", "show", who)["id"], self.ann.id)
        for who, status in (("nobody@x.org", 3), ("no such id", 3), ("x", 3)):
            with row(who):
                self.assertEqual(self.invoke("people", "show", who).exit_code, status)

    def test_named_as_another(self) -> None:
        """Who has another's address as their name stands in nobody's way; of two with one name the id is wanted."""
        mallory = self.done(self.people.sign_in(evolve(ANN, subject="m", email="m@x.org", name="ann@x.org")))
        self.assertEqual(self.said("people", "show", "ann@x.org")["id"], self.ann.id)
        self.done(self.people.sign_in(evolve(ANN, subject="n", email="n@x.org", name="ann@x.org")))
        self.assertEqual(self.said("people", "show", "m@x.org")["id"], mallory.id)
        self.done(self.people.sign_in(evolve(ANN, subject="p", email="p@x.org", name="Ann")))
        refused = self.invoke("people", "show", "ann")
        self.assertIn("2 people are called 'ann'", refused.output)

    def test_usage(self) -> None:
        """Reports and records of somebody, by what people call them."""
        self.reports.entries = [
            an_entry(1, NOW - 60.0, person_id=self.ann.id, model="mine"),
            an_entry(2, NOW - 60.0, person_id=self.eve.id, model="hers"),
        ]
        for who in (self.ann.id, "ann@x.org", "Ann"):
            with row(who):
                said = self.invoke("usage", "--by", "model", "--since", "2000-01-01", "--person", who).stdout
                self.assertIn("mine", said)
                self.assertNotIn("hers", said)
        refused = self.invoke("usage", "--person", "nobody@x.org")
        self.assertEqual(refused.exit_code, 3)
        self.assertIn("nobody who has signed in is called 'nobody@x.org'", refused.output)

    def test_devices(self) -> None:
        """A device by what it is called, where one that is good is."""
        self.let_in(self.ann)
        self.assertEqual(self.invoke("people", "end-device", "ann", "desktop").exit_code, 3)
        self.let_in(self.ann, "2")
        self.assertIn("2 devices are called 'laptop'", self.invoke("people", "end-device", "ann", "laptop").output)
        self.assertEqual(self.invoke("people", "end-device", "ann", "d1").exit_code, 0)
        self.assertEqual(self.invoke("people", "end-device", "ann", "laptop").exit_code, 0)
        devices = self.said("people", "show", "ann")["devices"]
        self.assertNotIn(None, [each["ended_at"] for each in devices])

    def test_show(self) -> None:
        """With devices, and what is left of limits."""
        self.let_in(self.ann)
        said = self.invoke("people", "show", "ann").stdout
        for words in ("claude-cli/2.1", "laptop", "rpm_limit left", "of 5"):
            with row(words):
                self.assertIn(words, said)

    def test_changes(self) -> None:
        """What was done is said."""
        token_id = self.let_in(self.ann)
        for arguments, said in (
            (("reset-budget", "ann"), "The budget of Ann begins anew."),
            (("end-device", "ann", "d1"), "The device is let in no longer."),
            (("revoke", "ann"), "Ann is shut out."),
            (("reinstate", "ann"), "Ann may sign in again."),
        ):
            with row(arguments):
                self.assertEqual(self.invoke("people", *arguments).stdout.strip(), said)
        self.assertFalse(self.is_good(token_id))

    def test_export(self) -> None:
        """It goes to standard output, or to a file that its owner alone can read."""
        self.assertEqual(json.loads(self.invoke("people", "export", "ann").stdout)["person"]["id"], self.ann.id)
        path = os.path.abspath(self.mktemp())
        self.invoke("people", "export", "ann", "--output", path)
        self.assertEqual(json.loads(Path(path).read_text())["person"]["id"], self.ann.id)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_delete(self) -> None:
        """It asks before; without a terminal it wants a word."""
        refused = self.invoke("people", "delete", "ann")
        self.assertIn("give --yes", refused.output)
        self.assertEqual(self.said("people", "show", "ann")["name"], "Ann")
        self.assertEqual(self.invoke("people", "delete", "ann", "--yes").exit_code, 0)
        self.assertEqual(self.invoke("people", "show", "ann@x.org").exit_code, 3)
